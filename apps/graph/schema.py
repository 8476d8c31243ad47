"""The graph's schema as data (SPEC 9.3): 14 labels, the kinds of Task and File, 4 relationship types.

Every node carries ``tenant_id`` (whose it is) and ``uid`` (unique in the whole graph); every relationship carries
``tenant_id``. These belong to the platform: no query names ``tenant_id``, and only the writer sets either.
"""

from dataclasses import dataclass
from typing import Literal

PropertyType = Literal["text", "integer", "decimal", "boolean", "date", "time", "texts"]
TENANT = "tenant_id"
UID = "uid"


@dataclass(frozen=True, slots=True)
class Property:
    """``date`` is text like 2024-05-31, ``time`` like 2024-05-31T08:00:00Z (UTC): both sort as text; ``texts`` a list.

    ``values``: all there are, where they are few; with ``others`` only the usual ones. ``may_miss``: absent on some
    nodes.
    """

    name: str
    type: PropertyType
    about: str
    values: tuple[str, ...] = ()
    may_miss: bool = False
    others: bool = False


@dataclass(frozen=True, slots=True)
class Label:
    """A kind of node. ``key`` identifies one within its tenant, ``name`` is what people call it by.

    ``kinds``: labels that some of these nodes carry besides, as ``(:Task:Blast)``, with properties of their own.
    """

    label: str
    about: str
    key: str
    name: str
    properties: tuple[Property, ...]
    kinds: "tuple[Label, ...]" = ()


@dataclass(frozen=True, slots=True)
class RelationshipType:
    """``(source)-[:type]->(target)``."""

    type: str
    source: str
    target: str
    about: str
    properties: tuple[Property, ...] = ()


def _text(name: str, about: str, *values: str, may_miss: bool = False, others: bool = False) -> Property:
    return Property(name, "text", about, values, may_miss, others)


STATUSES = ("queued", "running", "completed", "failed", "cancelled")
INSTITUTION_TYPES = ("university", "hospital", "research institute", "company", "supercomputing centre")
COUNTRIES = ("Italy", "France", "Germany", "Spain", "Finland", "Sweden", "Switzerland", "Netherlands", "Poland",
             "Portugal", "Greece", "Norway")  # fmt: skip
ORGANISMS = ("Homo sapiens", "Mus musculus", "Rattus norvegicus", "Danio rerio", "Drosophila melanogaster",
             "Caenorhabditis elegans", "Saccharomyces cerevisiae", "Escherichia coli", "Arabidopsis thaliana",
             "Oryza sativa")  # fmt: skip
TISSUES = ("liver", "brain", "heart", "kidney", "lung", "muscle", "blood", "skin", "leaf", "root", "whole organism")
CHROMOSOMES = (*map(str, range(1, 23)), "X", "Y", "MT")
BLAST_TYPES = ("blastn", "blastp", "blastx", "tblastn", "tblastx")
TOOL_TYPES = ("alignment", "assembly", "annotation", "quality control", "variant calling", "phylogeny",
              "visualisation")  # fmt: skip
RESULT_TYPES = ("alignment", "identification", "expression", "variants", "phylogeny", "quality report")
ROLES = ("principal investigator", "postdoc", "PhD student", "technician", "data scientist", "visiting scientist")
DEPARTMENTS = ("Genomics", "Proteomics", "Bioinformatics", "Microbiology", "Oncology", "Plant Sciences", "Ecology",
               "High Performance Computing")  # fmt: skip

LABELS: tuple[Label, ...] = (
    Label("User", "A person with an account", "user_id", "user_name", (
        _text("user_id", "Number of the account, as text"), _text("firstName", "First name"),
        _text("lastName", "Last name"), _text("user_name", "Name at sign-in"),
        _text("email", "Address", may_miss=True),
    )),
    Label("Institution", "Where people work", "id", "name", (
        _text("id", "Identifier"), _text("name", "Name"), _text("country", "Country", *COUNTRIES, others=True),
        _text("type", "Kind of institution", *INSTITUTION_TYPES),
    )),
    Label("Task", "A piece of work that a user had run", "task_id", "task_id", (
        _text("task_id", "Identifier"), _text("status", "How far it is", *STATUSES),
        Property("start", "time", "When it started", may_miss=True),
        Property("duration_s", "integer", "How long it ran, in seconds", may_miss=True),
        Property("tags", "texts", "Words that its owner gave it", may_miss=True),
    ), (
        Label("Blast", "A search for similar sequences", "task_id", "task_id", (
            _text("blast_version", "Version of BLAST"), _text("blasttype", "Program of BLAST", *BLAST_TYPES),
            Property("evalue", "decimal", "Largest e-value reported", may_miss=True),
        )),
        Label("CreateDb", "A BLAST database made from sequences", "task_id", "task_id", (
            _text("dbtype", "Kind of sequences", "nucl", "prot"),
        )),
        Label("SearchbyTaxon", "A search of sequences by taxon", "task_id", "task_id", (
            _text("taxon", "Name of the taxon", *ORGANISMS, others=True),
            Property("taxon_id", "integer", "Number of the taxon"),
        )),
        Label("Bold", "An identification at BOLD, the barcode of life", "task_id", "task_id", (
            _text("marker", "Marker gene", "COI-5P", "ITS", "matK", "rbcL", others=True),
        )),
        Label("Command", "A command line", "task_id", "task_id", (
            _text("command", "The command"), Property("exit_code", "integer", "Its exit code", may_miss=True),
        )),
    )),
    Label("File", "A file that tasks read or wrote", "file_id", "user_filename", (
        _text("file_id", "Identifier"), _text("user_filename", "The name that its owner gave it"),
        Property("size", "integer", "Bytes"), _text("extension", "Ending of the name", "fasta", "fa", "xml", "nsq",
                                                    "psq", "txt", "csv", "log", others=True),
        _text("bucket_name", "Where it is stored"),
    ), (
        Label("Fasta", "Sequences", "file_id", "user_filename", (
            Property("sequences", "integer", "How many sequences"),)),
        Label("BlastDb", "A BLAST database", "file_id", "user_filename", (
            _text("dbtype", "Kind of sequences", "nucl", "prot"),)),
        Label("Xml", "A report in XML", "file_id", "user_filename", ()),
        Label("BlastedSeq", "Sequences that a search found", "file_id", "user_filename", (
            Property("hits", "integer", "How many hits"),)),
    )),
    Label("Dataset", "A collection of data", "id", "name", (
        _text("id", "Identifier"), _text("name", "Name"), _text("description", "What it holds", may_miss=True),
        _text("version", "Version, as 1.2"),
    )),
    Label("Sample", "Biological material", "id", "name", (
        _text("id", "Identifier"), _text("name", "Name"), _text("organism", "Species", *ORGANISMS, others=True),
        _text("tissue", "Tissue", *TISSUES, may_miss=True, others=True),
    )),
    Label("Experiment", "An experiment", "id", "name", (
        _text("id", "Identifier"), _text("name", "Name"),
        _text("protocol", "Protocol", "RNA-seq", "ChIP-seq", "WGS", "16S amplicon", "mass spectrometry",
              "single-cell RNA-seq", others=True),
        Property("date", "date", "The day it was made"),
    )),
    Label("Publication", "An article", "id", "title", (
        _text("id", "Identifier"), _text("doi", "DOI", may_miss=True), _text("title", "Title"),
        _text("journal", "Journal"), Property("year", "integer", "Year"),
    )),
    Label("Gene", "A gene", "id", "symbol", (
        _text("id", "Identifier"), _text("symbol", "Symbol, as TP53"), _text("name", "Full name"),
        _text("chromosome", "Chromosome", *CHROMOSOMES, others=True),
    )),
    Label("Protein", "A protein", "id", "name", (
        _text("id", "Identifier"), _text("name", "Name"), _text("sequence", "Amino acids, one letter each"),
        _text("function", "What it does", may_miss=True),
    )),
    Label("Pathway", "A biological pathway", "id", "name", (
        _text("id", "Identifier"), _text("name", "Name"), _text("description", "What happens in it", may_miss=True),
    )),
    Label("Tool", "A program", "id", "name", (
        _text("id", "Identifier"), _text("name", "Name"), _text("version", "Version"),
        _text("type", "Kind of program", *TOOL_TYPES, others=True),
    )),
    Label("Workflow", "Steps that belong together", "id", "name", (
        _text("id", "Identifier"), _text("name", "Name"), Property("steps", "integer", "How many steps"),
        Property("inputs", "texts", "What it reads"),
    )),
    Label("Result", "What an analysis found", "id", "id", (
        _text("id", "Identifier"), _text("type", "Kind of result", *RESULT_TYPES, others=True),
        _text("metrics", "Numbers, as a JSON object in text"), Property("timestamp", "time", "When it was found"),
        Property("score", "decimal", "Its quality, 0 to 1", may_miss=True),
    )),
)  # fmt: skip

RELATIONSHIPS: tuple[RelationshipType, ...] = (
    RelationshipType("WORKS_AT", "User", "Institution", "A user works at an institution", (
        Property("since", "integer", "First year"), _text("role", "Position", *ROLES, others=True),
        _text("department", "Department", *DEPARTMENTS, others=True),
    )),
    RelationshipType("RUNS", "User", "Task", "A user had a task run"),
    RelationshipType("INPUT", "File", "Task", "A task read a file"),
    RelationshipType("OUTPUT", "Task", "File", "A task wrote a file"),
)  # fmt: skip

KINDS: dict[str, str] = {kind.label: label.label for label in LABELS for kind in label.kinds}
"""Label of a kind -> the label it stands beside."""
LABEL_NAMES: frozenset[str] = frozenset(label.label for label in LABELS) | frozenset(KINDS)
TYPE_NAMES: frozenset[str] = frozenset(one.type for one in RELATIONSHIPS)
_BY_NAME: dict[str, Label] = {one.label: one for label in LABELS for one in (label, *label.kinds)}
PROPERTY_NAMES: frozenset[str] = (
    frozenset(one.name for label in _BY_NAME.values() for one in label.properties)
    | frozenset(one.name for type_ in RELATIONSHIPS for one in type_.properties)
    | {UID}
)


def label_named(name: str) -> Label:
    """The label or kind of this name, with the properties of the label it stands beside first; KeyError without one."""
    found = _BY_NAME[name]
    if name not in KINDS:
        return found
    return Label(
        found.label, found.about, found.key, found.name, (*_BY_NAME[KINDS[name]].properties, *found.properties)
    )


def relationship_named(name: str) -> RelationshipType:
    """The relationship type of this name; KeyError without one."""
    return {one.type: one for one in RELATIONSHIPS}[name]
