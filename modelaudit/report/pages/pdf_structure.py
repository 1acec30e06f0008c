"""Conformance with PDF/A-3a (ISO 19005-3) and PDF/UA-1 (ISO 14289-1) at once.

WeasyPrint supports one of the two and leaves gaps in the structure tree. `finish` closes them
before the file is written: the metadata names both standards, list items hold only labels and
bodies, header cells have a scope, and running headers are marked as artifacts.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterator

import pydyf
from weasyprint.pdf.stream import Stream

CARRIAGE_RETURN = 0x0D
PDFUA = "http://www.aiim.org/pdfua/ns/id/"
# PDF/A allows properties of other standards only if the metadata describes their schema.
IDENTIFICATION = f"""
<rdf:Description rdf:about="" xmlns:pdfuaid="{PDFUA}">
<pdfuaid:part>1</pdfuaid:part>
</rdf:Description>
<rdf:Description rdf:about=""
  xmlns:pdfaExtension="http://www.aiim.org/pdfa/ns/extension/"
  xmlns:pdfaSchema="http://www.aiim.org/pdfa/ns/schema#"
  xmlns:pdfaProperty="http://www.aiim.org/pdfa/ns/property#">
<pdfaExtension:schemas><rdf:Bag><rdf:li rdf:parseType="Resource">
<pdfaSchema:schema>PDF/UA Universal Accessibility Schema</pdfaSchema:schema>
<pdfaSchema:namespaceURI>{PDFUA}</pdfaSchema:namespaceURI>
<pdfaSchema:prefix>pdfuaid</pdfaSchema:prefix>
<pdfaSchema:property><rdf:Seq><rdf:li rdf:parseType="Resource">
<pdfaProperty:name>part</pdfaProperty:name>
<pdfaProperty:valueType>Integer</pdfaProperty:valueType>
<pdfaProperty:category>internal</pdfaProperty:category>
<pdfaProperty:description>Part of ISO 14289 that the file conforms to</pdfaProperty:description>
</rdf:li></rdf:Seq></pdfaSchema:property>
</rdf:li></rdf:Bag></pdfaExtension:schemas>
</rdf:Description>
</rdf:RDF>""".encode()


def finish(pdf: pydyf.PDF) -> None:
    """Complete the metadata and the structure of a PDF/A-3a file that is about to be written."""
    # Add the PDF/UA part to the metadata, and keep it uncompressed
    metadata = pdf.objects[_number(pdf.catalog["Metadata"])]
    metadata.compress = False
    metadata.stream = [b"".join(metadata.stream).replace(b"</rdf:RDF>", IDENTIFICATION.strip(), 1)]
    tree = _StructureTree(pdf)
    inside = tree.walk()
    tree.decorate(inside)
    for element in inside:
        if element["S"] == "/LI":
            tree.wrap_body(element)
        elif element["S"] == "/LBody" and tree.parent(element)["S"] != "/LI":
            element["S"] = "/Div"
        elif element["S"] == "/TH":
            tree.scope(element)
    for element in reversed(inside):  # children before parents
        if element["S"] == "/Span" and not element.get("K"):
            tree.drop(element)
    _end_streams(pdf)  # last: nothing may be drawn afterwards


def _end_streams(pdf: pydyf.PDF) -> None:
    """Ensure that no compressed stream ends with a carriage return.

    Together with the following line feed it would read as a single end of line, so that a reader
    that searches for `endstream` finds a different length than the stream declares. The last byte
    of a zlib stream is the low byte of its Adler-32 (RFC 1950), which an extra line feed changes.
    """
    for stream in pdf.objects:
        if isinstance(stream, Stream) and stream.compress:
            # The content of a stream before compression
            written: bytes = pydyf.Stream(stream.stream).data
            content = written.partition(b"stream\n")[2].removesuffix(b"\nendstream")
            while zlib.adler32(content) & 0xFF == CARRIAGE_RETURN:
                content += b"\n"
            stream.stream = [content]  # joined once, not again on writing


def _number(reference: bytes) -> int:
    return int(reference.split()[0])


class _StructureTree:
    """The structure tree: elements are dictionaries, kids are references or content IDs."""

    def __init__(self, pdf: pydyf.PDF) -> None:
        self.pdf = pdf
        self.root = pdf.objects[_number(pdf.catalog["StructTreeRoot"])]

    def kids(self, element: pydyf.Dictionary) -> Iterator[pydyf.Dictionary]:
        """The structure elements directly below an element."""
        for kid in element.get("K", ()):
            if isinstance(kid, bytes):
                found = self.pdf.objects[_number(kid)]
                if found.get("Type") == "/StructElem":
                    yield found

    def parent(self, element: pydyf.Dictionary) -> pydyf.Dictionary:
        """The parent of a structure element."""
        return self.pdf.objects[_number(element["P"])]

    def walk(self) -> list[pydyf.Dictionary]:
        """All elements reachable from the root, in reading order."""
        found: list[pydyf.Dictionary] = []
        waiting = [self.root]
        while waiting:
            element = waiting.pop()
            found.append(element)
            waiting += reversed(list(self.kids(element)))
        return found[1:]

    def decorate(self, inside: list[pydyf.Dictionary]) -> None:
        """Mark content in page margins, whose element is unreachable, as an artifact."""
        known = {element.number for element in inside}
        content_of = self.pdf.objects[_number(self.root["ParentTree"])]["Nums"]
        pages = [self.pdf.objects[number] for number in self.pdf.pages["Kids"][::3]]
        for index, page in enumerate(pages):
            owners = content_of[2 * index + 1]
            lost = {i for i, owner in enumerate(owners) if _number(owner) not in known}
            if lost:
                _as_artifacts(self.pdf.objects[_number(page["Contents"])].stream, lost)
                owners[:] = [b"null" if i in lost else owner for i, owner in enumerate(owners)]
        for orphan in self.pdf.objects:
            if (
                isinstance(orphan, pydyf.Dictionary)
                and orphan.get("Type") == "/StructElem"
                and orphan.number not in known
            ):
                orphan.free = "f"

    def wrap_body(self, item: pydyf.Dictionary) -> None:
        """Wrap the kids of a list item, except its label, into a body."""
        labels = [
            kid
            for kid in item["K"]
            if isinstance(kid, bytes) and self.pdf.objects[_number(kid)].get("S") == "/Lbl"
        ]
        rest = [kid for kid in item["K"] if kid not in labels]
        if [element["S"] for element in self.kids(item)] in (["/LBody"], ["/Lbl", "/LBody"]):
            return
        body = pydyf.Dictionary(
            {
                "Type": "/StructElem",
                "S": "/LBody",
                "K": pydyf.Array(rest),
                "Pg": item["Pg"],
                "P": item.reference,
            }
        )
        self.pdf.add_object(body)
        item["K"] = pydyf.Array([*labels, body.reference])
        for element in self.kids(body):
            element["P"] = body.reference

    def drop(self, element: pydyf.Dictionary) -> None:
        """Remove an element without content from the tree."""
        above = self.parent(element)
        above["K"] = pydyf.Array(kid for kid in above["K"] if kid != element.reference)
        element.free = "f"

    def scope(self, cell: pydyf.Dictionary) -> None:
        """Set the scope of a header cell: its column or its row."""
        group = self.parent(self.parent(cell))
        cell["A"]["Scope"] = "/Column" if group["S"] == "/THead" else "/Row"


def _as_artifacts(stream: list[bytes | str], lost: set[int]) -> None:
    """Turn marked content with these IDs into artifacts, in place."""
    for i, operator in enumerate(stream):
        if operator == b"BDC" and _marked_as(stream[i - 1]) in lost:
            stream[i - 2 : i + 1] = ["/Artifact", b"BMC", b""]


def _marked_as(properties: object) -> int | None:
    return properties.get("MCID") if isinstance(properties, pydyf.Dictionary) else None
