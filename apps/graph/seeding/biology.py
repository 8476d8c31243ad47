"""Genes, pathways and tools by which seed data are recognised. Public knowledge, kept short."""

# symbol, full name, chromosome in man
GENES = (
    ("TP53", "tumor protein p53", "17"), ("BRCA1", "BRCA1 DNA repair associated", "17"),
    ("BRCA2", "BRCA2 DNA repair associated", "13"), ("EGFR", "epidermal growth factor receptor", "7"),
    ("KRAS", "KRAS proto-oncogene, GTPase", "12"), ("MYC", "MYC proto-oncogene", "8"),
    ("APOE", "apolipoprotein E", "19"), ("CFTR", "CF transmembrane conductance regulator", "7"),
    ("HBB", "hemoglobin subunit beta", "11"), ("HBA1", "hemoglobin subunit alpha 1", "16"),
    ("INS", "insulin", "11"), ("LEP", "leptin", "7"), ("FTO", "FTO alpha-ketoglutarate dependent dioxygenase", "16"),
    ("MTOR", "mechanistic target of rapamycin kinase", "1"), ("PTEN", "phosphatase and tensin homolog", "10"),
    ("RB1", "RB transcriptional corepressor 1", "13"), ("VEGFA", "vascular endothelial growth factor A", "6"),
    ("TNF", "tumor necrosis factor", "6"), ("IL6", "interleukin 6", "7"),
    ("ACE2", "angiotensin converting enzyme 2", "X"),
    ("DMD", "dystrophin", "X"), ("FMR1", "fragile X messenger ribonucleoprotein 1", "X"),
    ("SRY", "sex determining region Y", "Y"), ("MT-CO1", "cytochrome c oxidase subunit I", "MT"),
    ("MT-ND1", "NADH dehydrogenase subunit 1", "MT"), ("SOD1", "superoxide dismutase 1", "21"),
    ("APP", "amyloid beta precursor protein", "21"), ("HTT", "huntingtin", "4"), ("SNCA", "synuclein alpha", "4"),
    ("LRRK2", "leucine rich repeat kinase 2", "12"), ("BRAF", "B-Raf proto-oncogene", "7"),
    ("ALK", "ALK receptor tyrosine kinase", "2"), ("JAK2", "Janus kinase 2", "9"),
    ("ABL1", "ABL proto-oncogene 1", "9"),
    ("NOTCH1", "notch receptor 1", "9"), ("GAPDH", "glyceraldehyde-3-phosphate dehydrogenase", "12"),
    ("ACTB", "actin beta", "7"), ("ALB", "albumin", "4"), ("COL1A1", "collagen type I alpha 1 chain", "17"),
    ("FBN1", "fibrillin 1", "15"),
)  # fmt: skip
PATHWAYS = (
    ("Glycolysis", "Glucose is split to pyruvate."), ("Citric acid cycle", "Acetyl-CoA is oxidised."),
    ("Oxidative phosphorylation", "Electrons from nutrients make ATP."), ("Apoptosis", "A cell ends itself in order."),
    ("Cell cycle", "A cell grows and divides."), ("DNA repair", "Damage of DNA is found and mended."),
    ("MAPK signaling", "Signals from outside reach the nucleus."), ("PI3K-Akt signaling", "Survival and growth."),
    ("Wnt signaling", "Cells take their fate."), ("Notch signaling", "Neighbours agree on their fates."),
    ("p53 signaling", "Damage stops the cell cycle."), ("Insulin signaling", "Glucose is taken up."),
    ("Autophagy", "Parts of a cell are digested."), ("Photosynthesis", "Light makes sugars."),
    ("Fatty acid synthesis", "Acetyl-CoA becomes fatty acids."), ("Urea cycle", "Ammonia becomes urea."),
)  # fmt: skip
# name, version, type
TOOLS = (
    ("BLAST+", "2.15.0", "alignment"), ("DIAMOND", "2.1.9", "alignment"), ("Bowtie2", "2.5.3", "alignment"),
    ("BWA-MEM2", "2.2.1", "alignment"), ("minimap2", "2.28", "alignment"), ("STAR", "2.7.11", "alignment"),
    ("SPAdes", "4.0.0", "assembly"), ("Flye", "2.9.4", "assembly"), ("MEGAHIT", "1.2.9", "assembly"),
    ("Prokka", "1.14.6", "annotation"), ("InterProScan", "5.69", "annotation"), ("FastQC", "0.12.1", "quality control"),
    ("MultiQC", "1.23", "quality control"), ("GATK", "4.5.0", "variant calling"),
    ("bcftools", "1.20", "variant calling"),
    ("IQ-TREE", "2.3.4", "phylogeny"), ("MAFFT", "7.526", "phylogeny"), ("IGV", "2.17.4", "visualisation"),
)  # fmt: skip
FUNCTIONS = (
    "binds DNA", "phosphorylates proteins", "carries oxygen", "transports ions", "cuts proteins", "joins DNA",
    "moves along actin", "keeps the cell's shape", "receives hormones", "defends against pathogens",
)  # fmt: skip
WORKFLOWS = (
    ("RNA-seq quantification", 6, ("fasta", "annotation")), ("Variant calling", 8, ("fasta", "reference")),
    ("Metagenome assembly", 7, ("fasta",)), ("Barcode identification", 3, ("fasta",)),
    ("Protein annotation", 5, ("fasta", "database")), ("Phylogeny of a gene", 4, ("fasta",)),
    ("Homology search", 3, ("fasta", "database")), ("Quality report", 2, ("fasta",)),
)  # fmt: skip
TAXON_IDS = {
    "Homo sapiens": 9606, "Mus musculus": 10090, "Rattus norvegicus": 10116, "Danio rerio": 7955,
    "Drosophila melanogaster": 7227, "Caenorhabditis elegans": 6239, "Saccharomyces cerevisiae": 4932,
    "Escherichia coli": 562, "Arabidopsis thaliana": 3702, "Oryza sativa": 4530,
}  # fmt: skip
AMINO_ACIDS = "ACDEFGHIKLMNPQRSTVWY"
