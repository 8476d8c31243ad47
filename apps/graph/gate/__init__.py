"""What a Cypher text must pass before the graph sees it: six layers, one file each (SPEC 8 step 3). Pure."""
