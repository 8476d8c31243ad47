"""Tools: what they are, who may call them, and the one way to call one. The tools themselves are apps/toolbox."""
