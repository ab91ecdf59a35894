"""How points look: in a line of text, in a terminal, in a page. Pure, and shared by both ends."""
