# ruff: noqa: E501 - a table of sentences
"""Writes spans.json: personal data and secrets in several formats and languages, and texts that hold none.

    python tests/data/pii/generate.py

Deterministic. Values are made up here; checksums are computed, so none belongs to anybody on purpose.
"""

import json
import random
import string
from pathlib import Path

R = random.Random(20260101)
COUNTRIES = {
    "IT": "A10n12",
    "DE": "n18",
    "FR": "n10A11n2",
    "GB": "A4n14",
    "ES": "n20",
    "NL": "A4n10",
    "CH": "n5A12",
    "PL": "n24",
}


def digits(count: int) -> str:
    return "".join(R.choice(string.digits) for _ in range(count))


def card(prefix: str, length: int) -> str:
    body = prefix + digits(length - len(prefix) - 1)
    total = 0
    for place, char in enumerate(reversed(body)):
        value = int(char) * (2 - place % 2)
        total += value - 9 if value > 9 else value
    return body + str(-total % 10)


def iban(country: str) -> str:
    shape, body = COUNTRIES[country], ""
    for part in shape.replace("A", " A").replace("n", " n").split():
        pool = string.ascii_uppercase if part[0] == "A" else string.digits
        body += "".join(R.choice(pool) for _ in range(int(part[1:])))
    number = int("".join(str(int(char, 36)) for char in body + country + "00"))
    return f"{country}{98 - number % 97:02}{body}"


def grouped(text: str, size: int, mark: str) -> str:
    return mark.join(text[start : start + size] for start in range(0, len(text), size))


def token(count: int, pool: str = string.ascii_letters + string.digits) -> str:
    return "a1B" + "".join(R.choice(pool) for _ in range(count - 3))


def values() -> dict[str, list[str]]:
    names = ["mario.rossi", "a.müller", "jean-luc+lab", "o'neill", "x_y.z", "info", "ÅsaLaine", "r2d2"]
    hosts = ["example.com", "cineca.it", "uni-köln.de", "mail.lab.example.org", "a-b.co.uk", "example.museum"]
    emails = [f"{name}@{host}" for name in names for host in hosts]
    phones = [
        form.format(a=R.choice("2345678") + digits(2), b=R.choice("2345678") + digits(2), c=digits(4), d=digits(3))
        for form in (
            "+39 051 {d} {c}", "+39 347 {d}{c}", "+49 (0)30 {c}{d}", "+44 20 7{d} {c}", "+33 1 45 67 89 12",
            "+1-{a}-{b}-{c}", "({a}) {b}-{c}", "{a}-{b}-{c}", "{a}.{b}.{c}", "001-{a}-{b}-{c}", "01 45 67 89 01",
            "0039 051 {d} {c}", "347 {d}{c}", "+34 612 34 56 78", "+41 44 668 18 00", "1-{a}-{b}-{c}x123", "051/{d}{c}",
        )
        for _ in range(3)
    ]  # fmt: skip
    ssns = [f"{R.randint(1, 665):03}-{R.randint(1, 99):02}-{R.randint(1, 9999):04}" for _ in range(40)]
    ibans = [iban(country) for country in COUNTRIES for _ in range(3)]
    cards = [card(prefix, 16) for prefix in ("4", "51", "55", "2221", "6011", "3530") for _ in range(4)]
    cards += [card("37", 15) for _ in range(4)]
    ips = [".".join(str(R.randint(1, 254)) for _ in range(4)) for _ in range(40)]
    ips = [ip for ip in ips if not ip.startswith("127.")]
    pool = string.ascii_letters + string.digits
    secrets = [f"sk-{token(40)}" for _ in range(6)] + [f"sk-proj-{token(30)}" for _ in range(4)]
    secrets += [f"ghp_{token(36)}" for _ in range(6)] + [f"xoxb-{digits(11)}-{token(20)}" for _ in range(4)]
    secrets += [f"AKIA7{token(15, string.ascii_uppercase).upper()}" for _ in range(6)]
    secrets += [f"eyJ{token(24)}.eyJ{token(60)}.{token(43)}" for _ in range(8)] + [
        f"glpat-{token(20)}" for _ in range(4)
    ]
    named = [
        f"{name}{mark}{token(length, pool)}"
        for name, length in (("api_key", 24), ("Authorization: Bearer", 40), ("password", 10), ("client_secret", 32))
        for mark in (" " if "Bearer" in name else "=", " " if "Bearer" in name else ": ")
        for _ in range(4)
    ]
    return {
        "email": emails,
        "phone": phones,
        "ssn": ssns,
        "iban": [*ibans, *(grouped(value, 4, " ") for value in ibans)],
        "card": [
            *cards,
            *(grouped(value, 4, " ") for value in cards[:24]),
            *(grouped(value, 4, "-") for value in cards[:24]),
        ],
        "ip": ips,
        "secret": [*secrets, *named],
    }


FRAMES = [
    "{}", "Contact: {}.", "Scrivimi a {} domani.", "Bitte an {} wenden!", "Veuillez utiliser {}, merci.", "Usa {} ahora",
    "({})", "value={}", '"{}"', "see {} and also the gene BRCA1", "user said: {}\nnext line", "連絡先は {} です", "<{}>",
]  # fmt: skip


def negatives() -> list[str]:
    uuid = lambda: "-".join("".join(R.choice("0123456789abcdef") for _ in range(n)) for n in (8, 4, 4, 4, 12))  # noqa: E731
    bases = lambda n: "".join(R.choice("ACGT") for _ in range(n))  # noqa: E731
    made: list[str] = []
    for _ in range(12):
        made += [
            f"Job {uuid()} finished at 2026-0{R.randint(1, 9)}-1{R.randint(0, 9)}T1{R.randint(0, 9)}:22:31.{digits(6)}Z.",
            f"etag {''.join(R.choice('0123456789abcdef') for _ in range(32))} was stored {R.randint(1, 9)} times",
            f"epoch_ms 17{digits(11)} and epoch 17{digits(8)} are the same moment",
            f">seq{R.randint(1, 99)} {bases(60)}",
            f"transcript NM_00{digits(7)}.{R.randint(1, 9)} of ENSG00000{digits(6)} on chr{R.randint(1, 22)}:{digits(8)}-{digits(8)}",
            f"doi:10.{R.randint(1000, 9999)}/s41586-02{digits(1)}-{digits(4)}-{digits(1)} (PMID: {R.randint(1, 9)}{digits(7)})",
            f"BioProject PRJNA{digits(6)}, run SRR{digits(8)}, sample SAMN{digits(8)}",
            f"version {R.randint(1, 9)}.{R.randint(0, 20)}.{R.randint(0, 20)}.{R.randint(0, 20)} of the tool was installed",
            f"EC {R.randint(1, 7)}.{R.randint(1, 20)}.{R.randint(1, 20)}.{R.randint(1, 99)} hydrolyses the bond",
            f"UniProt P{digits(5)} has {R.randint(100, 999)} residues; PDB 1A{digits(1)}X at 1.{digits(2)} angstrom",
            f"rs{R.randint(1, 9)}{digits(8)} lies at GRCh38 position {R.randint(1, 2)}{digits(8)}",
            f"read {R.randint(1, 9)},{digits(3)},{digits(3)},{digits(3)} bases, {digits(2)}.{digits(3)} % mapped, p = 3.{digits(4)}e-{digits(2)}",
            f"The file has {R.randint(1, 9)}{digits(9)} bytes and sha256 {''.join(R.choice('0123456789abcdef') for _ in range(64))}",
            f"ISBN 978-3-16-148410-0, ISSN 0378-5955, ORCID 0000-0002-{digits(4)}-{digits(4)}, taxon {digits(5)}",
            f"next_page_token=eyJhIjox{digits(3)}:1vXyZ{digits(2)} max_tokens: {digits(4)} total_tokens={digits(6)}",
            f"listening on 127.0.0.1:{R.randint(1024, 65535)}, port {R.randint(1024, 65535)}, pid {digits(5)}",
            f"matrix {digits(2)} {digits(3)} {digits(2)} {digits(3)} {digits(1)} and {digits(1)}.{digits(3)} {digits(1)}.{digits(3)}",
            f"GO:000{digits(4)} and HP:000{digits(4)}, KEGG hsa:{digits(5)}, CHEBI:{digits(5)}, Reactome R-HSA-{digits(6)}",
            f"qstat: {digits(7)}.master R {digits(2)}:{digits(2)}:{digits(2)} nodes={R.randint(1, 64)}:ppn={R.randint(1, 64)}",
            f"protein MKV{''.join(R.choice('ACDEFGHIKLMNPQRSTVWY') for _ in range(40))}AKIA",
            f"MATCH (g:Gene) WHERE g.id = {digits(6)} RETURN g.symbol LIMIT {R.randint(1, 99)}",
            f"What is a password? The key finding is that tokens are counted: {digits(3)} a minute.",
            f"{R.randint(1, 9)} 000 000 000 pairs between {R.randint(1980, 2026)} and 2026, {digits(3)} 456 789 unique",
            f"snapshot 2026-01-{R.randint(10, 28)} 10:{R.randint(10, 59)}:00+01:00, 2026/01/02, 03.04.2026, 12:30:45.{digits(3)}",
            f"docker pull ghcr.io/lab/tool@sha256:{''.join(R.choice('0123456789abcdef') for _ in range(64))}",
            f"task-risk-{digits(6)} of queue bioinfo-{digits(4)}-{digits(4)} retried with exit code {R.randint(1, 255)}",
        ]
    return made


def main() -> None:
    spans = [
        {"kind": kind, "before": before, "value": value, "after": after}
        for kind, examples in values().items()
        for place, value in enumerate(examples)
        for before, after in [FRAMES[place % len(FRAMES)].split("{}")]
    ]
    data = {"spans": spans, "negatives": negatives()}
    Path(__file__).with_name("spans.json").write_text(json.dumps(data, ensure_ascii=False, indent=0) + "\n")


if __name__ == "__main__":
    main()
