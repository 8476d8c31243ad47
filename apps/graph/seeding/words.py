"""Words that seed data are put together from. Places and institutions are invented; so is everybody."""

FIRST_NAMES = (
    "Ada", "Adele", "Agnes", "Aldo", "Alma", "Amir", "Anna", "Anton", "Bianca", "Bruno", "Carla", "Chiara", "Clara",
    "Dario", "Diana", "Elena", "Elias", "Emil", "Emma", "Enzo", "Erik", "Eva", "Fabio", "Felix", "Flora", "Franco",
    "Gaia", "Greta", "Hana", "Hugo", "Ida", "Ines", "Irene", "Ivan", "Jana", "Jonas", "Julia", "Karin", "Lara", "Lea",
    "Leon", "Lina", "Livia", "Luca", "Luisa", "Maja", "Marco", "Marta", "Matteo", "Mila", "Mina", "Nadia", "Nico",
    "Nina", "Nora", "Olga", "Oscar", "Otto", "Paola", "Pietro", "Rita", "Rosa", "Samir", "Sara", "Silvia", "Sofia",
    "Stella", "Tea", "Teo", "Tomas", "Ugo", "Vera", "Viola", "Viktor", "Wanda", "Yara", "Zeno", "Zoe",
)  # fmt: skip
LAST_NAMES = (
    "Abeti", "Acqualta", "Bellaspina", "Bergwald", "Boscoverde", "Brunetti", "Campolieto", "Castagno", "Colline",
    "Dalbosco", "Dunkelbach", "Eichfeld", "Falcoverde", "Fiordalisi", "Fontechiara", "Frassino", "Gelsomini",
    "Ginepri", "Granito", "Halvorsdal", "Hollenberg", "Isolabianca", "Kastanjen", "Kivilampi", "Lagorosso",
    "Lindenau", "Lupinetti", "Maremonti", "Melograno", "Montelupi", "Nebbiolo", "Nordhaven", "Olmeti", "Pietrachiara",
    "Pinheiral", "Querceto", "Rivadoro", "Rosenwald", "Roveri", "Salicini", "Selvapiana", "Soleverde", "Sorbetto",
    "Steinfels", "Tassobarbasso", "Terranova", "Ulivieri", "Valdistelle", "Vasselin", "Ventomare", "Vignaverde",
    "Weidenbach", "Zafferani", "Zielonka",
)  # fmt: skip
PLACES = (
    "Valdoro", "Montechiaro", "Rivabella", "Sassoforte", "Torrelunga", "Pontevecchiaro", "Lindental", "Birkenau",
    "Hohenfels", "Nordsund", "Kivijarvi", "Brezowo", "Vilaverde", "Clairmont", "Beaulac", "Fontbleue", "Kallisto",
    "Westerhaven", "Altavilla", "Granvalle",
)  # fmt: skip
INSTITUTION_PATTERNS = {
    "university": "University of {place}",
    "hospital": "{place} General Hospital",
    "research institute": "{place} Institute of Life Sciences",
    "company": "{place} Biosystems",
    "supercomputing centre": "{place} Supercomputing Centre",
}
TAGS = ("pilot", "paper", "rerun", "urgent", "training", "course", "benchmark", "collaboration", "draft", "archive")
SUBJECTS = ("reads", "contigs", "genome", "transcripts", "proteome", "isolate", "plasmid", "markers", "scaffolds")
JOURNALS = (
    "Annals of Sequence Analysis", "Computational Genomics Letters", "Journal of Applied Bioinformatics",
    "Molecular Data Review", "Open Proteomics", "Transactions on Biological Computing",
)  # fmt: skip
TITLE_PATTERNS = (
    "{gene} expression in {tissue} of {organism}", "A comparative study of {gene} across species",
    "{pathway} and the role of {gene}", "Barcoding {organism} with high throughput sequencing",
    "Benchmarking tools for the analysis of {organism}", "Variants of {gene} found in {tissue}",
)  # fmt: skip
PLAIN_COMMANDS = (
    "seqkit stats {file}", "samtools flagstat {file}", "fastqc {file}", "mafft --auto {file}", "prokka {file}",
    "hmmscan --tblout out.txt {file}", "trimmomatic SE {file}",
)  # fmt: skip
BUCKETS = ("cineca-inputs", "cineca-results", "cineca-archive")
