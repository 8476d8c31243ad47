"""Words that mean the same in requests, in English and Italian: the first of a line stands for all of it."""

_GROUPS = """
list show display view print enumerate elenca elencami elenco mostra mostrami visualizza lista fammi vedere
count number many much conta conteggio quanti quante quanto quanta numero
delete remove erase drop wipe destroy purge truncate cancella cancellare cancelli elimina
delete eliminare rimuovi rimuovere distruggi distruggere svuota svuotare azzera
create add insert make new crea creare aggiungi aggiungere inserisci inserire nuovo nuova
update change modify edit set rename aggiorna aggiornare modifica modificare cambia cambiare imposta impostare rinomina
search find lookup locate cerca cercare trova trovare ricerca cercami trovami
get fetch read retrieve leggi leggere recupera ottieni prendi
run execute launch esegui eseguire lancia lanciare
start begin avvia avviare inizia
stop halt ferma fermare
cancel cancelled canceled abort annulla annullare interrompi
retry ritenta riprova
health healthy alive liveness readiness salute sano
status state stato condizione condition situazione
summarize summarise summary condense riassumi riassumere riassunto sintetizza sintesi riepiloga riepilogo digest
explain explanation spiega spiegami spiegare spiegazione explains
classify classifica classificare categorize categorise category categoria intent intento
user users utente utenti account
tenant tenants tenancy organisation organization
institution institutions istituzione istituzioni istituto istituti ente enti university università
task tasks compito
file files documento documenti
dataset datasets
sample samples campione campioni
experiment experiments esperimento esperimenti
publication publications paper papers article articles pubblicazione pubblicazioni articolo articoli
gene genes geni
protein proteins proteina proteine
pathway pathways
workflow workflows flusso flussi
result results outcome risultato risultati esito
node nodes nodo nodi
relationship relationships relation edge edges relazione relazioni arco archi
graph graphs grafo grafi
label labels etichetta etichette
property properties proprietà attribute attributes
schema schemas structure struttura
query queries interrogazione interrogazioni
tool tools strumento strumenti
model models modello modelli
provider providers fornitore fornitori
job jobs lavoro lavori
session sessions sessione sessioni
event events evento eventi
error errors failure failures errore errori exception
failed fail fails fallito falliti fallita fallite broken
finished done completed complete completato completati finito finiti terminated
running active attivo attivi corso
queued queue waiting pending todo coda attesa
permission permissions allowed authorization authorisation authorized permesso permessi autorizzazione autorizzazioni
role roles ruolo ruoli
scope scopes
access accesses accesso accessi
audit trail
policy policies politica politiche
token tokens
metric metrics metrica metriche
cache
key keys chiave chiavi
value values valore valori
limit maximum massimo limite top first primi prime
average mean media medio avg
max largest biggest highest greatest longest oldest massima maggiore grande grandi alto
min smallest lowest least shortest minimo minima minore piccolo piccoli basso
sum total totale somma
size dimensione dimensioni grandezza
name nome named called chiamato chiamata
date data giorno day
today oggi
yesterday ieri
version versione
type kind tipo genere
backup backups
restore ripristina ripristinare
export esporta esportare dump download scarica
import importa importare load carica caricare upload
index indexes indice indici
constraint constraints vincolo vincoli
weather meteo tempo forecast
temperature temperatura
city città town
email mail posta
message messaggio
send invia inviare spedisci notify notifica
calculate compute calcola calcolare evaluate calculator calcolatrice arithmetic
translate traduci tradurre translation traduzione
describe description descrivi descrivere descrizione
information info informazione informazioni detail details dettaglio dettagli
all every everything entire whole tutti tutte tutto tutta ogni intero intera
database databases db
table tables tabella tabelle
plan piano pianifica
high urgent critical asap important severe urgente critico importante grave alta
low minor trivial bassa
medium normal moderate media
positive great excellent happy love wonderful ottimo eccellente felice bello
negative awful terrible unhappy hate horrible pessimo terribile brutto
quota quotas
country paese nation
organism organismo species specie
chromosome cromosoma
sequence sequenza
compare confronta
sort order ordina ordinare
profile profilo
setting settings configuration config configurazione impostazione impostazioni
"""


def word_set(words: str) -> frozenset[str]:
    """The words of a line."""
    return frozenset(words.split())


CONCEPTS: dict[str, str] = {}
for _line in _GROUPS.split("\n"):
    for _word in _line.split():
        CONCEPTS.setdefault(_word, _line.split()[0])

ENGLISH = word_set(
    "a an the of to in on at by for from with and or is are was were be been am do does did has have had i me my we us"
    " our you your it its this that these those there what which who whose how why when where please can could would"
    " should will shall may might not no yes if then than so just also as about into out up down tell give let want"
    " need some any hi hello hey ok okay now here they them their he she his her s m re ve ll d t"
)
ITALIAN = word_set(
    "il lo la i gli le un uno una di a da in con su per tra fra e o ed è sono era essere ho hai ha abbiamo hanno mi ti"
    " si ci vi mio mia miei mie tuo tua suo sua nostro che chi cosa quale quali come perché quando dove del dello"
    " della"
    " dei degli delle al allo alla ai agli alle dal dalla dai nel nello nella nei nelle sul sulla sui se non più"
    " ne poi"
    " anche puoi può posso vorrei voglio favore questo questa questi queste quello quella ciao dimmi dammi qual c"
    " l d un"
    " po ci sia stato sta stai quanti quante"
)
# Words that only one of the two languages has: they tell which one it is.
_MARKS = word_set(
    "elenca mostra mostrami cerca trova crea cancella elimina aggiorna riassumi spiega spiegami conta traduci scrivi"
    " esegui grazie buongiorno buonasera salve arrivederci chiamo nodi grafo utente utenti lavoro lavori falliti"
    " permessi"
    " ruolo tutti tutte quanti quante quanto qual quali sei fa calcola ricordi chiesto maiuscolo classifica fammi"
    " vedere"
    " istituzioni proteine geni pubblicazioni campioni aiuto aiutami somma media"
)
ITALIAN_MARKS = (ITALIAN | _MARKS) - ENGLISH - {"data", "e", "o", "la", "c", "l", "ti", "si", "tra"}
ENGLISH_MARKS = ENGLISH - ITALIAN
STOP_WORDS = (ENGLISH | ITALIAN) - {"quanti", "quante", "stato", "data", "all", "many", "much", "no", "not", "non"}
