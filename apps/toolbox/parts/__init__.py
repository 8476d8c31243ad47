"""What several tools are made of. Nothing here is a tool."""
