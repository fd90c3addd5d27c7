"""Names the links of a built site that lead nowhere, to a page, a place on it, or a file: `dead_links.py FOLDER`.

The generator sees those to pages and places in Markdown; here are the images, the files and what HTML brings.
"""

import sys
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit


class Page(HTMLParser):
    """The links of a page, and the places on it that can be linked to."""

    def __init__(self, file: Path) -> None:
        super().__init__()
        self.links: list[str] = []
        self.places: set[str] = {""}
        self.feed(file.read_text())

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        for name, value in attrs:
            if name == "id" and value:
                self.places.add(value)
            elif name in ("href", "src") and value:
                self.links.append(value)


def dead_links(site: Path) -> Iterator[str]:
    pages = {file.resolve(): Page(file) for file in sorted(site.rglob("*.html")) if file.name != "404.html"}
    for file, page in pages.items():
        for link in page.links:
            address = urlsplit(link)
            if address.scheme or address.netloc:
                continue  # to elsewhere
            target = (file.parent / unquote(address.path)).resolve() if address.path else file
            target = target / "index.html" if target.is_dir() else target
            places = pages[target].places if target in pages else {""}
            if not target.is_file() or unquote(address.fragment) not in places:
                yield f"{file.relative_to(site.resolve())}: {link} leads nowhere"


if __name__ == "__main__":
    found = list(dead_links(Path(sys.argv[1])))
    print(*found, sep="\n", end="\n" * bool(found), file=sys.stderr)
    sys.exit(bool(found))
