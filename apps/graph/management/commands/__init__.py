"""manage.py lay_graph, seed_graph, export_graph, import_graph."""
