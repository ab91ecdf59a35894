"""Writes the page /help/protocol/ of a service, a template, from protocol.rst.

So what the documentation says of the protocol and what each service says stand in one place. After
a change of protocol.rst:

    python docs/render_help.py

A test holds the template against it. The service needs neither this nor docutils.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from html import escape
from pathlib import Path
from typing import Any

from docutils import nodes
from docutils.core import publish_doctree
from docutils.parsers.rst import roles

HERE = Path(__file__).parent
TEMPLATE = HERE.parent / "timetric/server/templates/help/protocol.html"

#: How the documentation names a service; the page has the service's own address there.
USUAL = "http://127.0.0.1:8000/"

#: What other pages of the documentation are to somebody who reads this one at a service. What is
#: not among them is named.
PAGES = {
    "account": '<a href="{{ root }}account/">your account</a>',
    "server": "the documentation for those who run a service",
    "sharing": '<a href="{{ root }}help/start/#embed">the first five minutes</a>',
}

#: Nodes that are an element of HTML each, as their children are.
ELEMENTS = {
    nodes.paragraph: "p",
    nodes.bullet_list: "ul",
    nodes.list_item: "li",
    nodes.literal: "code",
    nodes.strong: "strong",
    nodes.emphasis: "em",
    nodes.tbody: "tbody",
    nodes.row: "tr",
}


def main() -> None:
    target = Path(sys.argv[1]) if len(sys.argv) > 1 else TEMPLATE
    target.write_text(template((HERE / "protocol.rst").read_text("utf-8")), "utf-8")


def template(text: str) -> str:
    roles.register_local_role("doc", doc_role)
    settings = {"syntax_highlight": "none", "halt_level": 2, "_disable_config": True}
    document = publish_doctree(text, settings_overrides=settings)
    sections = list(document.findall(lambda node: isinstance(node, nodes.section)))
    return f"""\
{{# Made from docs/protocol.rst by docs/render_help.py; change that. #}}
{{% extends "help/frame.html" %}}
{{% set here = "protocol/" %}}
{{% block title %}}{document["title"]}{{% endblock %}}
{{% block contents %}}
{"".join(map(contents, sections))}{{% endblock %}}
{{% block text %}}
{"".join(html(node) for node in document.children)}{{% endblock %}}
"""


def doc_role(
    role: str, rawtext: str, text: str, *_: Any, **__: Any
) -> tuple[list[nodes.Node], list[nodes.Node]]:
    return [nodes.raw(rawtext, PAGES.get(text, f"“{text}” of the documentation"))], []


def contents(section: nodes.section) -> str:
    kind = f"level-{depth(section)}"
    return f'<li class="{kind}"><a href="#{section["ids"][0]}">{inner(section[0])}</a></li>\n'


def html(node: nodes.Node) -> str:
    """A node and all below it. Raises KeyError for what the page has no form for."""
    if type(node) in ELEMENTS:
        name = ELEMENTS[type(node)]
        block = "\n" if name not in ("code", "strong", "em") else ""
        return f"<{name}>{inner(node)}</{name}>{block}"
    return RENDERED[type(node)](node)


def inner(node: nodes.Node) -> str:
    return "".join(map(html, node.children))


def written(node: nodes.Text) -> str:
    """Text as it is, of which nothing is a template's; the usual address becomes the service's."""
    plain = escape(node.astext(), quote=False).replace("{", "&#123;")
    return plain.replace(USUAL, "{{ base_url }}")


def heading(title: nodes.title) -> str:
    section = title.parent
    if not isinstance(section, nodes.section):
        return ""  # the page's own
    name, (id, *others) = f"h{depth(section) + 1}", section["ids"]
    more = "".join(f'<span id="{other}"></span>' for other in others)
    link = f'<a class="anchor" href="#{id}" aria-label="Link to {title.astext()}">#</a>'
    return f'<{name} id="{id}">{more}{inner(title)} {link}</{name}>\n'


def depth(section: nodes.Node) -> int:
    return 1 + depth(section.parent) if isinstance(section.parent, nodes.section) else 1


def link(reference: nodes.reference) -> str:
    target = reference["refuri"] if "refuri" in reference else f"#{reference['refid']}"
    return f'<a href="{escape(target)}">{inner(reference)}</a>'


def sample(block: nodes.literal_block) -> str:
    is_shell = "sh" in block["classes"]
    told = ' data-copy="command"' if is_shell else ""
    return f'<div class="sample"><pre><code{told}>{inner(block)}</code></pre></div>\n'


def table(node: nodes.table) -> str:
    return f'<div class="table"><table>\n{inner(node)}</table></div>\n'


def cell(entry: nodes.entry) -> str:
    return "".join(map(inner, entry.children) if len(entry) == 1 else map(html, entry.children))


def head(node: nodes.thead) -> str:
    cells = [cell(entry) for row in node for entry in row]
    row = "".join(f'<th scope="col">{text}</th>' if text else "<td></td>" for text in cells)
    return f"<thead><tr>{row}</tr></thead>\n"


RENDERED: dict[type[nodes.Node], Callable[[Any], str]] = {
    nodes.Text: written,
    nodes.raw: nodes.raw.astext,
    nodes.title: heading,
    nodes.section: inner,
    nodes.reference: link,
    nodes.literal_block: sample,
    nodes.table: table,
    nodes.tgroup: inner,
    nodes.thead: head,
    nodes.entry: lambda node: f"<td>{cell(node)}</td>\n",
    nodes.colspec: lambda node: "",
    nodes.target: lambda node: "",  # where a link leads is in the link
    nodes.system_message: lambda node: "",  # a note: halt_level ends it at whatever is wrong
}

if __name__ == "__main__":
    main()
