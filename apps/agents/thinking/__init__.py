"""What a phase may reach, and how it is recorded: models, tools and the graph, on the run's tape and books."""
