"""Tables and pictures as text: Markdown, CSV, sparklines, Mermaid, DOT, Vega-Lite. Pure; what is drawn is data."""
