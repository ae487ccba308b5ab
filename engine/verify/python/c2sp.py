"""The texts of C2SP that a log is checked by: signed-note, tlog-checkpoint, tlog-cosignature, tlog-policy, tlog-proof; and Ed25519
by `openssl`, and paths in a tree of RFC 6962. Nothing here is of Tallywatt alone. A text has one spelling; all others are refused.
"""
import base64, functools, hashlib, re, subprocess, tempfile
from pathlib import Path
from typing import Callable, NamedTuple


class Invalid(Exception):
    """The file is wrong: do not believe it."""


class Unable(Exception):
    """It cannot be told here."""


def need(holds: bool, otherwise: str) -> None:
    if not holds:
        raise Invalid(otherwise)


# --- Trees. Both kinds have the shape of RFC 6962; the way up is that of RFC 9162, section 2.1.3.2. ---

def climb(leaf: bytes, index: int, size: int, path: list[bytes], node: Callable[[bytes, bytes], bytes]) -> bytes:
    need(0 <= index < size <= 1 << 40, f"leaf {index} of a tree of {size} leaves")
    at, last = index, size - 1
    for sibling in path:
        need(last > 0, "the path is too long")
        if at & 1 or at == last:
            leaf = node(sibling, leaf)
            while at and not at & 1:
                at, last = at >> 1, last >> 1
        else:
            leaf = node(leaf, sibling)
        at, last = at >> 1, last >> 1
    need(last == 0, "the path is too short")
    return leaf


def in_log(leaf: bytes, index: int, size: int, path: list[bytes], root: bytes) -> None:
    hashed = hashlib.sha256(b"\0" + leaf).digest()
    top = climb(hashed, index, size, path, lambda left, right: hashlib.sha256(b"\1" + left + right).digest())
    need(top == root, "the path leads to another root of the log")


# --- Ed25519 by openssl, without the leniencies of RFC 8032: no key and no R of small order. ---

P = 2**255 - 19
D = -121665 * pow(121666, -1, P) % P
FOLDER = tempfile.TemporaryDirectory()


@functools.cache
def is_point(encoded: bytes) -> bool:
    """Whether the bytes are a point of the curve whose order is not 1, 2, 4 or 8."""
    y = (int.from_bytes(encoded, "little") & (1 << 255) - 1) % P
    u, v = (y * y - 1) % P, (D * y * y + 1) % P
    doubled_is_order_4 = (D * y**4 + 2 * y * y - 1) % P == 0
    return pow(u * v, (P - 1) // 2, P) == 1 and not doubled_is_order_4 and y != 0


@functools.cache
def is_signed(key: bytes, message: bytes, signature: bytes) -> bool:
    if len(signature) != 64 or not is_point(signature[:32]):
        return False
    prefix = bytes.fromhex("302a300506032b6570032100")  # SubjectPublicKeyInfo of RFC 8410, up to the key
    key_file, message_file = Path(FOLDER.name, key.hex()), Path(FOLDER.name, "message")
    if not key_file.exists():
        key_file.write_bytes(prefix + key)
    message_file.write_bytes(message)
    words = "openssl pkeyutl -verify -pubin -keyform DER -rawin -sigfile /dev/stdin -inkey".split() + [str(key_file), "-in", str(message_file)]
    try:
        return subprocess.run(words, input=signature, capture_output=True, check=False).returncode == 0
    except OSError as error:
        raise Unable(f"cannot run openssl: {error}") from None


def check_openssl() -> None:
    """RFC 8032, section 7.1, test 2: an openssl that cannot do this would call every signature false."""
    key = bytes.fromhex("3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c")
    signature = bytes.fromhex(
        "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00")
    if not is_signed(key, b"\x72", signature) or is_signed(key, b"\x73", signature):
        raise Unable("this openssl does not verify Ed25519 by `pkeyutl -verify -rawin`; version 3 does")


# --- Texts: keys, notes, checkpoints, policies. One spelling each. ---

def unbase64(text: str) -> bytes:
    try:
        found = base64.b64decode(text.encode("ascii"), validate=True)
    except ValueError:
        raise Invalid(f"not base64: {text[:40]!r}") from None
    need(base64.b64encode(found).decode() == text, f"not the one base64 of its bytes: {text[:40]!r}")
    return found


def number(text: str, most: int = 2**64 - 1) -> int:
    need(re.fullmatch("0|[1-9][0-9]{0,19}", text) is not None and int(text) <= most, f"not a decimal: {text[:40]!r}")
    return int(text)


def is_key_name(name: str) -> bool:
    return 0 < len(name.encode()) <= 255 and not any(c.isspace() or c < " " or c == "+" for c in name)


LOG_KEY, WITNESS_KEY = 1, 4


class Key(NamedTuple):
    name: str
    id: bytes
    kind: int
    public: bytes

    @staticmethod
    def parse(text: str, kind: int) -> "Key":
        parts = text.split("+", 2)
        need(len(parts) == 3 and is_key_name(parts[0]) and re.fullmatch("[0-9a-f]{8}", parts[1]) is not None, f"no key: {text[:80]!r}")
        code = unbase64(parts[2])
        need(len(code) == 33 and code[0] == kind and is_point(code[1:]), f"not a usable key of kind {kind}: {text[:80]!r}")
        key = Key(parts[0], bytes.fromhex(parts[1]), kind, code[1:])
        need(hashlib.sha256(key.name.encode() + b"\n" + code).digest()[:4] == key.id, f"the key has another id: {text[:80]!r}")
        return key

    def holds(self, text: str, signature: bytes) -> bool:
        if self.kind == LOG_KEY:
            return is_signed(self.public, text.encode(), signature)
        time = int.from_bytes(signature[:8], "big")
        message = f"cosignature/v1\ntime {time}\n{text}".encode()
        return len(signature) == 72 and time < 1 << 63 and is_signed(self.public, message, signature[8:])


class Group(NamedTuple):
    threshold: int
    members: list[str]


class Note(NamedTuple):
    text: str
    lines: list[tuple[str, bytes, bytes]]  # key name, key id, signature

    @staticmethod
    def parse(note: str) -> "Note":
        need(len(note.encode()) <= 64 * 1024 and "\n\n" in note, "no note: too long, or no empty line before the signatures")
        cut = note.rindex("\n\n")
        text, lines = note[: cut + 1], note[cut + 2 :].split("\n")
        need(all(c >= " " or c == "\n" for c in text), "the note has control characters")
        need(1 <= len(lines) - 1 <= 16 and lines.pop() == "", "a note has 1 to 16 lines of signatures, each ended by a newline")
        found = []
        for line in lines:
            words = line.split(" ")
            need(len(words) == 3 and words[0] == "\u2014" and is_key_name(words[1]), f"not a line of a signature: {line[:60]!r}")
            code = unbase64(words[2])
            need(5 <= len(code) <= 8 * 1024 + 4, "a signature of no length, or too long")
            found.append((words[1], code[:4], code[4:]))
        need(len({line[:2] for line in found}) == len(found), "two signatures of one key")
        return Note(text, found)


class Head(NamedTuple):
    origin: str
    size: int
    root: bytes

    @staticmethod
    def parse(text: str) -> "Head":
        lines = text.split("\n")
        need(len(lines) == 4 and lines[3] == "" and is_key_name(lines[0]), "no checkpoint of three lines")
        head = Head(lines[0], number(lines[1], 1 << 40), unbase64(lines[2]))
        need(len(head.root) == 32 and (head.size > 0 or head.root == hashlib.sha256().digest()), "no root of a log")
        return head


class Policy:
    """Known logs, known witnesses, and the quorum over them (C2SP tlog-policy)."""

    def __init__(self, text: str) -> None:
        self.logs: list[Key] = []
        self.members: dict[str, Key | Group] = {}
        quorum: list[str] = []
        used: set[str] = set()
        need(len(text.encode()) <= 64 * 1024 and text.endswith("\n"), "the policy is too long, or does not end in a newline")
        for line in text[:-1].split("\n"):
            need(not any((c < " " and c != "\t") or c == "\x7f" for c in line), "the policy has control characters")
            match [word for word in re.split("[ \t]", line) if word]:
                case []:
                    pass
                case [keyword, *_] if keyword.startswith("#"):
                    pass
                case ["log", key]:
                    self.logs.append(Key.parse(key, LOG_KEY))
                case ["witness", name, key]:
                    self.define(name, Key.parse(key, WITNESS_KEY))
                case ["group", name, threshold, *names] if names:
                    for member in names:
                        need(member in self.members and member not in used, f"{member!r} is not defined, or a member twice")
                        used.add(member)
                    count = {"any": 1, "all": len(names)}.get(threshold) or number(threshold)
                    need(1 <= count <= len(names), f"no threshold of {len(names)}: {threshold!r}")
                    self.define(name, Group(count, names))
                case ["quorum", name]:
                    need(not quorum and (name == "none" or name in self.members), f"no quorum, or a second one: {name!r}")
                    quorum.append(name)
                case words:
                    raise Invalid(f"no line of a policy: {' '.join(words)[:60]!r}")
        keys = self.logs + self.witnesses
        need(len(self.logs) > 0 and len(quorum) > 0, "the policy has no log, or no quorum")
        need(len({key.public for key in keys}) == len({key[:2] for key in keys}) == len(keys), "a key stands twice")
        counts = (len(self.logs), len(self.witnesses), len(self.members) - len(self.witnesses))
        need(max(counts) <= 32, "more than 32 logs, witnesses or groups")
        self.quorum = quorum[0]

    @property
    def witnesses(self) -> list[Key]:
        return [member for member in self.members.values() if isinstance(member, Key)]

    def define(self, name: str, member: Key | Group) -> None:
        need(name not in self.members and name != "none" and len(name.encode()) <= 255, f"{name!r} is defined twice, or cannot be")
        self.members[name] = member

    def head(self, note: Note, refuse_unknown: bool) -> tuple[Head, list[str]]:
        """The checkpoint of a note that is signed as the policy asks, and who cosigned it."""
        head, logs, seen = Head.parse(note.text), 0, []
        for name, key_id, signature in note.lines:
            log = next((key for key in self.logs if key[:2] == (name, key_id)), None)
            witness = next((who for who, key in self.members.items() if isinstance(key, Key) and key[:2] == (name, key_id)), None)
            key = log or (self.members[witness] if witness else None)
            if not isinstance(key, Key):
                need(not refuse_unknown, f"the policy does not know the key of {name}")
                continue
            need(key is not log or name == head.origin, f"a key of {name} signed a checkpoint of {head.origin}")
            need(key.holds(note.text, signature), f"{witness or name} did not sign this checkpoint")
            logs += key is log
            seen += [witness] if witness else []
        need(logs > 0, "no log of the policy signed the checkpoint")
        met = set(seen)
        for name, member in self.members.items():
            if isinstance(member, Group) and sum(part in met for part in member.members) >= member.threshold:
                met.add(name)
        need(self.quorum == "none" or self.quorum in met, f"the quorum is not met by the cosignatures of: {', '.join(seen) or 'nobody'}")
        return head, seen


class Proof(NamedTuple):
    """A C2SP tlog-proof."""
    extra: str | None
    index: int
    path: list[bytes]
    note: Note

    @staticmethod
    def parse(text: str) -> "Proof":
        need("\n\n" in text and len(text.encode()) <= 64 * 1024 + 87384 + 4096, "no proof: too long, or without a checkpoint")
        head, note = text.split("\n\n", 1)
        first, *lines = head.split("\n")
        extra = lines.pop(0)[6:] if lines and lines[0].startswith("extra ") else None
        need(first == "c2sp.org/tlog-proof@v1" and (extra is None or 0 < len(unbase64(extra)) <= 64 * 1024), "no proof of version 1")
        need(len(lines) > 0 and lines[0].startswith("index ") and len(lines) <= 41, "no index, or too long a path")
        path = [unbase64(line) for line in lines[1:]]
        need(all(len(sibling) == 32 for sibling in path), "a path of other than hashes")
        proof = Proof(extra, number(lines[0][6:]), path, Note.parse(note))
        Head.parse(proof.note.text)
        return proof
