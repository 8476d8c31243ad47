def test_a_demo_job_runs_to_its_end_and_streams(api, worker):
    job_id = api.submit("demo", {"duration_ms": 300})

    events = [event for event in api.events(job_id) if event.type != "comment"]

    assert [event.id for event in events] == list(range(1, len(events) + 1))
    assert events[-1].type == "end"
    assert events[0].data["status"] == "queued"
    assert api.job(job_id)["status"] == "finished"
