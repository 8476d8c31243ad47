"""Cypher as the gate reads it: grammar, tree, printer."""

CYPHER: dict[str, tuple[str, str]] = {
    "cypher:reads": ("SPEC 8", "The reading part of Cypher that people use is read, in 200 shapes."),
    "cypher:refuses": ("SPEC 8", "What does not parse is refused, and each of 300 texts that must not pass is."),
    "cypher:round-trip": ("SPEC 8", "Any tree, printed and parsed again, is the same tree."),
    "cypher:normal-forms": ("SPEC 8", "Spellings of one meaning become one tree."),
    "cypher:grouping": ("SPEC 8", "Operators bind as in openCypher, and parentheses stand where engines differ."),
    "cypher:one-reading": ("security 68", "Texts and names are printed so that every engine reads the same."),
    "cypher:dialects": ("SPEC 9.3", "A shortest path is printed in the engine's own words."),
    "cypher:bounded": ("security 84", "Length, tokens, nesting and depth are bounded, and no text exhausts the stack."),
    "cypher:fuzz": ("security 84", "Whatever is sent, only a syntax error comes back, and soon."),
    "cypher:oracle": ("issue 5", "An independent openCypher grammar takes what this one takes."),
    "cypher:messages": ("SPEC 2.8", "A refusal says where, what was found, what would fit, and what to do."),
    "cypher:changes": ("SPEC 2.3", "Writes are read by a grammar of their own, and by no other."),
    "cypher:walk": ("issue 5", "Trees are walked and rebuilt without naming their kinds."),
    "cypher:threads": ("issue 5", "Threads may parse at once, from the first text on."),
}
