"""The one door to the graph server: Bolt, through the neo4j driver, which no other package imports. See client.py."""
