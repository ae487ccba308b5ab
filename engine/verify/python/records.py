"""What stands in a receipt: hashes and trees, blocks, bills, day leaves, and the receipt itself (FORMAT.md §0 to §5, §8)."""
import datetime, hashlib, re, struct
from typing import NamedTuple

from blake3 import CONTEXT, KEYED, MATERIAL, blake3
from c2sp import Invalid, Proof, Unable, climb, need, number, unbase64

# --- Hashes and trees of Tallywatt (FORMAT.md §0, §2). ---

def domain(name: str) -> bytes:
    """The key of a domain: BLAKE3's key derivation of nothing (FORMAT.md §0)."""
    return blake3(b"", blake3(f"tallywatt 2026-11 {name} v1".encode(), flags=CONTEXT), MATERIAL)


TREE_NODE, TREE_ROOT, BLOCK = domain("tree node"), domain("tree root"), domain("block")
# Codes of qualities that stand in for a measurement: from a like day, linear, derived, projected, mixed, other (FORMAT.md §0).
ESTIMATED = (8, 9, 11, 12, 13, 16)
QUALITIES = (0, 7, 8, 9, 10, 11, 12, 13, 14, 16, 17, 18, 19, 255)
BATCH_PARTITION, BATCH, PERIOD_PARTITION, PERIOD, BILLS, CONTRACTS, CORRECTIONS = 1, 2, 3, 4, 5, 6, 9


class Root(NamedTuple):
    hash: bytes
    count: int


def in_tree(kind: int, record: bytes, index: int, path: list[bytes], root: Root, what: str) -> None:
    try:
        top = climb(blake3(record), index, root.count, path, lambda left, right: blake3(left + right, TREE_NODE, KEYED))
    except Invalid as error:
        raise Invalid(f"{what}: {error}") from None
    need(blake3(struct.pack("<BQ", kind, root.count) + top, TREE_ROOT, KEYED) == root.hash, f"{what}: the path leads to another root")


# --- Records (FORMAT.md §1 to §5). ---

class Reader:
    def __init__(self, record: bytes, *kinds: tuple[int, int]) -> None:
        self.bytes, self.at = record, 2
        need(tuple(record[:2]) in kinds, f"a record of version and kind {list(record[:2])}, expected {kinds}")
        self.kind = record[1]

    def take(self, size: int) -> bytes:
        part = self.bytes[self.at : self.at + size]
        need(len(part) == size, f"a record of kind {self.kind:#x} ends too soon")
        self.at += size
        return part

    def int(self, size: int, signed: bool = False) -> int:
        return int.from_bytes(self.take(size), "little", signed=signed)

    def text(self) -> str:
        return self.take(self.int(4)).decode()

    def name(self) -> str:
        return name_of(self.take(33))

    def hashes(self) -> list[bytes]:
        return [self.take(32) for _ in range(self.int(4))]

    def root(self) -> Root:
        return Root(self.take(32), self.int(8))

    def end(self) -> None:
        need(self.at == len(self.bytes), f"bytes are left over behind a record of kind {self.kind:#x}")


def name_of(padded: bytes) -> str:
    name = padded.rstrip(b"\0")
    need(re.fullmatch(rb"[!-~]([ -~]*[!-~])?", name) is not None, "a name that is none")
    return name.decode()


def month_of(number_: int) -> str:
    return f"{number_ // 12:04}-{number_ % 12 + 1:02}"


def day_of(number_: int) -> str:
    return (datetime.date(1970, 1, 1) + datetime.timedelta(number_)).isoformat()


class Block:
    def __init__(self, record: bytes, leaf: bytes, path: list[bytes]) -> None:
        r = Reader(record, (1, 0x41))
        need(len(record) <= 256 * 1024, "a block above 256 KiB")
        self.chain, self.height, self.parent = r.take(32), r.int(8), r.take(32)
        time, self.proposer, own = r.int(8), r.int(1), r.int(8)
        command = r.take(r.int(4))
        self.attestations = [(r.int(1), r.take(64)) for _ in range(r.int(4))]
        r.end()
        parties = [party for party, _ in self.attestations]
        need(parties == sorted(set(parties)) and {self.proposer, *parties} <= {1, 2, 3}, f"parties of block {self.height}")
        self.hash, self.leaf, self.path = blake3(record, BLOCK, KEYED), leaf, path
        party = PARTIES[self.proposer - 1]
        words = ("tallywatt/attest/v2", self.chain.hex(), self.parent.hex(), f"{party} {own} {time}", blake3(command).hex(), "")
        self.attest_text = "\n".join(words)
        self.command = Reader(command, (1, 0x40))
        self.kind = self.command.int(1)
        self.asked = (self.kind, *command[3:4]) if self.kind == PUBLISH else (self.kind, 0)
        l = Reader(leaf, (1, 0x42))
        self.leaf_height, self.leaf_block, self.leaf_parent = l.int(8), l.take(32), l.take(32)
        need(len(leaf) == 106, "a log leaf has 106 bytes")


GENESIS, PUBLISH, BATCH_COMMIT, BILLS_COMMIT, CORRECTIONS_COMMIT, ACTIVATION, MOTION = 1, 2, 4, 6, 10, 12, 13
GRID, BANK, SUPPLIER = 1, 2, 3
PARTIES = ("grid", "bank", "supplier")
# Who may propose what, so must be able to attest it: by command, and by document of a publication.
PROPOSERS = {(1, 0): {GRID}, **{(PUBLISH, document): {SUPPLIER} for document in range(1, 9)}, (PUBLISH, 9): {GRID, BANK, SUPPLIER}}
PROPOSERS |= {(3, 0): {SUPPLIER}, (4, 0): {GRID}, (6, 0): {SUPPLIER}, (9, 0): {GRID}, (10, 0): {SUPPLIER}, (11, 0): {BANK}, (12, 0): {GRID, SUPPLIER}}
PROPOSERS |= {(MOTION, 0): {GRID, BANK, SUPPLIER}}


def attesters_of(r: Reader) -> dict[tuple[int, int], set[int]]:
    """The end of the genesis: who recomputes and attests what."""
    need(r.int(4) == len(PROPOSERS), "the genesis does not say of every kind who attests it")
    asked = {}
    for kind, proposers in PROPOSERS.items():
        need((r.int(1), r.int(1)) == kind, "a kind of command that is none, or out of order")
        bits = r.int(1)
        asked[kind] = {party for party in (GRID, BANK, SUPPLIER) if bits >> (party - 1) & 1}
        need(bits < 8 and len(asked[kind]) >= 2 and proposers <= asked[kind], "a set of attesters that is none")
    return asked


class Commit:
    """What a block says of the bills or corrections that it commits."""

    def __init__(self, block: Block) -> None:
        r = block.command
        r.at = 3
        self.day = None
        if block.kind == CORRECTIONS_COMMIT:
            r.take(8)
            self.period, self.day = r.int(4), r.int(4)
        else:
            self.period = r.int(4)
        self.readings, self.contracts, self.list = r.root(), r.root(), r.root()
        self.tree = BILLS if self.day is None else CORRECTIONS


class Bill:
    """A bill, or the bill in a correction."""

    def __init__(self, record: bytes) -> None:
        self.record, self.is_correction, self.before, self.day = record, record[1:2] == b"\x3f", None, None
        if self.is_correction:
            outer = Reader(record, (1, 0x3F))
            self.before = outer.take(32) if outer.int(1) else None
            self.day, record = outer.int(4), outer.take(outer.int(4))
        r = Reader(record, (3, 0x33))
        self.account, self.period, self.currency = r.name(), r.int(4), r.take(3)
        self.tariffs, self.agreement, self.readings = r.hashes(), r.take(32), r.take(32)
        lines = [r.take(44) for _ in range(r.int(4))]
        taxes = [r.take(19) for _ in range(r.int(4))]
        self.expected, self.measured, self.estimated, self.missing = (r.int(4) for _ in range(4))
        self.total = r.int(8, signed=True)
        r.take(16)
        self.market = r.hashes()
        self.previous = r.take(32) if r.int(1) else None
        amounts = [line[36:44] for line in lines] + [tax[11:19] for tax in taxes if tax[2] == 0]
        self.sum = sum(int.from_bytes(amount, "little", signed=True) for amount in amounts)


class Leaf:
    """A day of a register (FORMAT.md §1)."""

    def __init__(self, record: bytes, index: int, path: list[bytes]) -> None:
        need(len(record) >= 128 and record[0] == 1, "no day leaf of version 1")
        self.record, self.index, self.path, self.tag = record, index, path, record[1]
        self.register = (record[4], record[3], record[5])  # in the order of the tree
        self.day, count = struct.unpack("<iH", record[8:14])
        self.point = record[15:48]
        self.name, end = name_of(self.point), 80 + 5 * count
        need(1 <= count <= 300 and len(record) == (end + 63) // 64 * 64 and not any(record[end:]), "a day leaf of another size")
        self.values, self.qualities = struct.unpack(f"<{count}i", record[80 : 80 + 4 * count]), record[80 + 4 * count : end]
        pairs = zip(self.values, self.qualities)
        need(all(value >= 0 and (quality != 255 or value == 0) for value, quality in pairs), "a value that cannot be")
        need(set(self.qualities) <= set(QUALITIES), "a quality that is none")
        self.partition, self.key = blake3(self.point.ljust(64, b"\0"))[0], (self.point, self.register, self.day)

    def __str__(self) -> str:
        return f"{self.name} 1-{self.register[1]}:{self.register[0]}.8.{self.register[2]} on {day_of(self.day)}"


# --- The receipt (FORMAT.md §8). ---

PATH = lambda word: [] if word == "-" else hashes_of(unbase64(word))


def hashes_of(code: bytes) -> list[bytes]:
    need(len(code) % 32 == 0 and 1 <= len(code) // 32 <= 40, "a path of other than 1 to 40 hashes")
    return [code[at : at + 32] for at in range(0, len(code), 32)]


def record_of(word: str) -> bytes:
    need(word != "", "an empty record")
    return unbase64(word)


ROW = {"record": (record_of,), "placed": (record_of, number, PATH), "partition": (record_of, PATH),
       "block": (record_of, record_of, PATH), "sealed-by": (record_of, record_of)}


class Lines:
    """The lines of a receipt above its proof, taken in their one order."""

    def __init__(self, lines: list[str]) -> None:
        self.lines, self.at = lines, 0

    def many(self, keyword: str, shape: str, least: int, most: int) -> list[list]:
        rows = []
        while self.at < len(self.lines) and self.lines[self.at].startswith(keyword + " "):
            line = self.lines[self.at]
            words = line.split(" ")[1:]
            need(len(line.encode()) <= 1 << 20 and len(words) == len(ROW[shape]), f"line {self.at + 2}: no line of a {keyword}")
            rows.append([read(word) for read, word in zip(ROW[shape], words)])
            self.at += 1
        need(least <= len(rows) <= most, f"line {self.at + 2}: {len(rows)} lines {keyword}, {least} to {most} expected")
        return rows

    def one(self, keyword: str, shape: str) -> list:
        return self.many(keyword, shape, 1, 1)[0]


class Receipt:
    def __init__(self, content: bytes) -> None:
        need(len(content) <= 64 << 20, "a receipt above 64 MiB")
        first, _, rest = content.decode().partition("\n")
        version = re.fullmatch("tallywatt-receipt/v(0|[1-9][0-9]{0,18})", first)
        if version is not None and version[1] != "1":
            raise Unable(f"a receipt of version {version[1]}, this reads version 1")
        head, separator, proof = rest.partition("\n\n")
        need(version is not None and separator != "", "no receipt")
        subject, *others = head.split("\n")
        lines = Lines(others)
        self.subject = subject.removeprefix("subject ")
        self.is_bill = subject.startswith("subject bill ")
        need(self.is_bill or subject.startswith("subject day "), "no subject")
        if self.is_bill:
            correction = lines.many("correction", "placed", 0, 1)
            self.bill = correction[0] if correction else lines.one("bill", "placed")
            self.is_corrected = bool(correction)
            self.before = lines.many("before", "placed", 0, 1 if correction else 0)
            self.before_block = [Block(*row) for row in lines.many("before-block", "block", len(self.before), len(self.before))]
            self.tariffs = [record for record, in lines.many("tariff", "record", 1, 64)]
            self.agreement, = lines.one("agreement", "record")
            self.contracts = lines.many("contract", "placed", 1, 4096)
            self.market = [record for record, in lines.many("market", "record", 0, 128)]
            self.previous = lines.many("previous", "placed", 0, 1)
        self.partitions = lines.many("partition", "partition", 1, 256)
        self.leaves = [Leaf(*row) for row in lines.many("leaf", "placed", 1, 4096 * 31)]
        self.blocks = [Block(*row) for row in lines.many("block", "block", 1, 64 + 128 + 4)]
        self.motions = [Block(*row) for row in lines.many("motion", "block", 0, 256)]
        sealed_by = lines.one("sealed-by", "sealed-by")
        need(lines.at == len(others), f"line {lines.at + 3} does not belong here")
        self.proof = Proof.parse(proof)
        need(self.proof.extra is None, "the proof carries extra data, which nobody signs")
        self.sealed_by = Block(*sealed_by, self.proof.path)


def log_leaf(leaf: bytes) -> bytes:
    return hashlib.sha256(b"\0" + leaf).digest()


def days_of(period: int) -> range:
    first = [datetime.date(number_ // 12, number_ % 12 + 1, 1) for number_ in (period, period + 1)]
    return range(*((day - datetime.date(1970, 1, 1)).days for day in first))


def document_of(record: bytes, kind: int) -> tuple[int, str, bytes, bytes]:
    """What its publication says: kind, id, hash, validity."""
    r = Reader(record, {1: (5, 0x30), 2: (5, 0x31), 5: (1, 0x3D), 6: (1, 0x3E), 8: (1, 0x44)}[kind])
    name = r.name()
    for _ in range(1 if kind == 2 else 2):
        r.text()
    if kind not in (6, 8):
        r.take(3)
    return kind, name, blake3(record), r.take(8)
