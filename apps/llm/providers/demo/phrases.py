"""What the demo provider says, in English and Italian: one line for each language."""

_PHRASES: dict[str, tuple[str, str]] = {
    "greeting": (
        "Hello{name}! I am the platform's demo model: rules, not a neural network. Ask me \"what can you do?\"",
        "Ciao{name}! Sono il modello demo della piattaforma: regole, non una rete neurale. Chiedimi \"cosa sai fare?\"",
    ),
    "thanks": ("You are welcome.", "Prego."),
    "bye": ("Goodbye.", "Arrivederci."),
    "fine": ("I am a set of rules, so I am always the same. What can I do for you?",
             "Sono un insieme di regole, quindi sto sempre uguale. Che cosa posso fare per te?"),
    "acknowledged": ("Good. What is next?", "Bene. Che cosa facciamo adesso?"),
    "about": (
        "I am the demo model of the CINECA agentic platform: deterministic rules, not a neural network. I have no"
        " network, no"
        " clock and no knowledge of the world. I can classify requests (CHAT, GRAPH, SECURITY, ADMIN, DANGEROUS,"
        " EXPLAIN), split a goal"
        " into steps, call the tools I am offered, summarise rows and results, fill a JSON Schema, do sums, count"
        " and change text,"
        " and remember what you told me in this conversation.{tools}",
        "Sono il modello demo della piattaforma agentica CINECA: regole deterministiche, non una rete neurale. Non"
        " ho rete,"
        " orologio o conoscenza del mondo. So classificare richieste (CHAT, GRAPH, SECURITY, ADMIN, DANGEROUS,"
        " EXPLAIN), dividere un obiettivo"
        " in passi, chiamare gli strumenti che mi vengono offerti, riassumere righe e risultati, compilare uno"
        " schema JSON, fare conti,"
        " contare e trasformare testo, e ricordare quello che mi hai detto in questa conversazione.{tools}",
    ),
    "tools_offered": (" Tools I am offered now: {names}.", " Strumenti che ho ora: {names}."),
    "refusal": (
        "I do not do that: it looks destructive ({because}) and such requests are refused. I can EXPLAIN it"
        " instead: what it would"
        " touch and how to check that first, without running anything. Ask \"explain what would happen if ...\".",
        "Questo non lo faccio: sembra distruttivo ({because}) e richieste simili vengono rifiutate. Posso invece"
        " spiegarlo (EXPLAIN):"
        " che cosa toccherebbe e come verificarlo prima, senza eseguire nulla. Chiedi \"spiega cosa succederebbe"
        " se ...\".",
    ),
    "unknown": (
        "I do not know that: I am the demo model and know only this conversation, what tools return and what you"
        " give me."
        " {tools} You can ask me to summarise rows you paste, to plan a goal, to classify a request, or to work"
        " out a sum.",
        "Questo non lo so: sono il modello demo e conosco solo questa conversazione, i risultati degli strumenti e"
        " quello che mi dai."
        " {tools} Puoi chiedermi di riassumere righe che incolli, pianificare un obiettivo, classificare una"
        " richiesta o fare un conto.",
    ),
    "no_tools": ("I was offered no tools.", "Non mi sono stati offerti strumenti."),
    "none_fits": ("None of the tools I am offered fits clearly ({names}).", "Nessuno degli strumenti che ho è"
                                                                            " chiaramente adatto ({names})."),
    "needs_graph": (
        "That is a question to the graph. To answer it I need a tool that queries it, such as graph.query; {tools}",
        "Questa è una domanda per il grafo. Per rispondere mi serve uno strumento che lo interroghi, come"
        " graph.query; {tools}",
    ),
    "needs_admin": (
        "That changes the platform. To do it I need a tool for it, and you need the right to use it; {tools}",
        "Questo modifica la piattaforma. Per farlo mi serve uno strumento adatto, e a te il permesso di usarlo;"
        " {tools}",
    ),
    "needs_security": (
        "I cannot see your rights. GET /v1/auth/permissions lists them, GET /v1/auth/me says who you are; {tools}",
        "Non posso vedere i tuoi permessi. GET /v1/auth/permissions li elenca, GET /v1/auth/me dice chi sei; {tools}",
    ),
    "explain_only": (
        "I explain, and run nothing. {found} To see the plan of a query, EXPLAIN it with a tool such as"
        " graph.explain; {tools}",
        "Spiego soltanto, non eseguo nulla. {found} Per vedere il piano di una query, usa EXPLAIN con uno"
        " strumento come graph.explain; {tools}",
    ),
    "explain_danger": (
        "It would change or remove data ({because}); such a request is refused when it is meant to run. Count"
        " first what it would touch.",
        "Modificherebbe o rimuoverebbe dati ({because}); se fosse da eseguire verrebbe rifiutato. Conta prima che"
        " cosa toccherebbe.",
    ),
    "explain_read": ("As far as its words tell, it only reads.", "Per quanto dicono le sue parole, legge soltanto."),
    "missing": ("To call {tool} I need {missing}. Please tell me.", "Per chiamare {tool} mi serve {missing}."
                                                                    " Dimmelo, per favore."),
    "translate": ("I do not translate: I am rules, not a language model. A real model behind the gateway can.",
                  "Non traduco: sono regole, non un modello linguistico. Lo può fare un modello vero dietro il"
                  " gateway."),
    "clock": ("I have no clock and no network, so I do not know that. Tell me, or offer me a tool that does.",
              "Non ho orologio né rete, quindi non lo so. Dimmelo, o dammi uno strumento che lo sappia."),
    "secret": ("I do not show the instructions I was given.", "Non mostro le istruzioni che ho ricevuto."),
    "remembered": ("I will remember it for this conversation: {fact}", "Lo ricordo per questa conversazione: {fact}"),
    "your_name": ("Your name is {name}.", "Ti chiami {name}."),
    "fact": ("You told me: {fact}", "Mi hai detto: {fact}"),
    "facts": ("You told me in this conversation: {facts}", "In questa conversazione mi hai detto: {facts}"),
    "not_told": ("You have not told me that in this conversation.", "Non me l'hai detto in questa conversazione."),
    "asked": ("You asked: \"{question}\"", "Hai chiesto: \"{question}\""),
    "asked_nothing": ("This is the first thing you ask.", "Questa è la prima cosa che chiedi."),
    "empty": ("I received no question. What would you like to know?", "Non ho ricevuto nessuna domanda. Che cosa"
                                                                      " vuoi sapere?"),
    "from_context": ("From what I was told: {sentence}", "Da quello che mi è stato detto: {sentence}"),
    "nothing_to_summarise": ("There is nothing to summarise: give me text, rows or a tool's result.",
                             "Non c'è niente da riassumere: dammi un testo, delle righe o il risultato di uno"
                             " strumento."),
    "category": ("{category}", "{category}"),
    "tool_error": ("The tool reported an error: {error}", "Lo strumento ha segnalato un errore: {error}"),
    "nothing": ("The result is empty: nothing was found.", "Il risultato è vuoto: non è stato trovato nulla."),
    "no_rows": ("No rows: nothing was found.", "Nessuna riga: non è stato trovato nulla."),
    "count_only": ("There are {count}, but none of their rows came with the result.", "Sono {count}, ma il"
                                                                                      " risultato non ne contiene"
                                                                                      " le righe."),
    "single_number": ("{number} ({name}).", "{number} ({name})."),
    "how_many": ("{count}.", "{count}."),
    "at_least": ("At least {count}: the result was cut, there may be more.", "Almeno {count}: il risultato è stato"
                                                                             " tagliato, potrebbero essere di più."),
    "matching": ("{count} ({column}: {value}).", "{count} ({column}: {value})."),
    "rows": ("{count} rows with {width} columns: {names}.", "{count} righe con {width} colonne: {names}."),
    "rows_1": ("1 row with {width} columns: {names}.", "1 riga con {width} colonne: {names}."),
    "span": ("{name}: min {least}, max {most}, mean {mean}", "{name}: min {least}, max {most}, media {mean}"),
    "frequent": ("{name}: most often {values}", "{name}: più spesso {values}"),
    "and_more": ("... and {count} more.", "... e altre {count}."),
    "cut": ("The result was cut: there may be more.", "Il risultato è stato tagliato: potrebbe esserci altro."),
    "max": ("Largest {name}: {value}{row}.", "{name} massimo: {value}{row}."),
    "min": ("Smallest {name}: {value}{row}.", "{name} minimo: {value}{row}."),
    "mean": ("Mean of {name}: {value}.", "Media di {name}: {value}."),
    "sum": ("Sum of {name}: {value}.", "Somma di {name}: {value}."),
}  # fmt: skip


def say(key: str, italian: bool, /, **parts: object) -> str:
    """The phrase in the language, with its parts filled in. Parts are text only: nothing in them is a pattern."""
    return _PHRASES[key][italian].format(**parts)
