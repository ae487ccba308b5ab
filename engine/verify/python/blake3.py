"""BLAKE3 with 32 bytes of output, in plain Python: hash, keyed hash, key derivation. Source: the BLAKE3 paper, section 2.

A row of the state is one number with its four words in slots of 64 bits, so that one addition adds four words.
"""
import functools, struct

IV = (0x6A09E667, 0xBB67AE85, 0x3C6EF372, 0xA54FF53A, 0x510E527F, 0x9B05688C, 0x1F83D9AB, 0x5BE0CD19)
PERMUTATION = (2, 6, 3, 10, 7, 0, 4, 13, 1, 11, 12, 5, 9, 14, 15, 8)
CHUNK_START, CHUNK_END, PARENT, ROOT, KEYED, CONTEXT, MATERIAL = 1, 2, 4, 8, 16, 32, 64
SLOTS, LOW = (1 << 256) - 1, sum(0xFFFFFFFF << 64 * slot for slot in range(4))
Rows = tuple[int, int]


def row(a: int, b: int, c: int, d: int) -> int:
    return a | b << 64 | c << 128 | d << 192


def turned(words: int, bits: int) -> int:
    """Each word rotated to the right."""
    return (words >> bits | words << 32 - bits) & LOW


def moved(words: int, slots: int) -> int:
    return words >> 64 * slots | words << 256 - 64 * slots & SLOTS


def mixed(a: int, b: int, c: int, d: int, x: int, y: int) -> tuple[int, int, int, int]:
    a = a + b + x & LOW
    d = turned(d ^ a, 16)
    c = c + d & LOW
    b = turned(b ^ c, 12)
    a = a + b + y & LOW
    d = turned(d ^ a, 8)
    c = c + d & LOW
    return a, turned(b ^ c, 7), c, d


def compress(key: Rows, block: bytes, counter: int, flags: int) -> Rows:
    m = struct.unpack("<16I", block.ljust(64, b"\0"))
    (a, b), c, d = key, row(*IV[:4]), row(counter & 0xFFFFFFFF, counter >> 32, len(block), flags)
    for _ in range(7):
        a, b, c, d = mixed(a, b, c, d, row(m[0], m[2], m[4], m[6]), row(m[1], m[3], m[5], m[7]))
        b, c, d = moved(b, 1), moved(c, 2), moved(d, 3)
        a, b, c, d = mixed(a, b, c, d, row(m[8], m[10], m[12], m[14]), row(m[9], m[11], m[13], m[15]))
        b, c, d = moved(b, 3), moved(c, 2), moved(d, 1)
        m = tuple(m[place] for place in PERMUTATION)
    return a ^ c, b ^ d


def digest(rows: Rows) -> bytes:
    return struct.pack("<8I", *(words >> 64 * slot & 0xFFFFFFFF for words in rows for slot in range(4)))


def rows_of(words: tuple[int, ...]) -> Rows:
    return row(*words[:4]), row(*words[4:])


def subtree(data: bytes, key: Rows, chunk: int, flags: int, root: int) -> Rows:
    if len(data) > 1024:
        left = 1 << 10 + ((len(data) - 1) // 1024).bit_length() - 1
        pair = digest(subtree(data[:left], key, chunk, flags, 0)) + digest(subtree(data[left:], key, chunk + (left >> 10), flags, 0))
        return compress(key, pair, 0, flags | PARENT | root)
    value = key
    for at in range(0, max(len(data), 1), 64):
        edge = (CHUNK_START if at == 0 else 0) | (CHUNK_END | root if at + 64 >= len(data) else 0)
        value = compress(value, data[at : at + 64], chunk, flags | edge)
    return value


@functools.cache
def blake3(data: bytes, key: bytes = b"", flags: int = 0) -> bytes:
    rows = rows_of(struct.unpack("<8I", key) if key else IV)
    return digest(subtree(data, rows, 0, flags, ROOT))
