#!/usr/bin/env python3
"""Checks a Tallywatt receipt by a policy: plain Python 3 and `openssl`, no network, no code of Tallywatt.

    tallywatt_verify.py FILE --policy FILE                 a receipt
    tallywatt_verify.py FILE --policy FILE --leaf FILE     a tlog-proof, and the bytes of the leaf it is of
    tallywatt_verify.py --list FILE                        a case a line: file, policy and, of a tlog-proof, leaf, parted by tabs

Written from engine/ledger/FORMAT.md and from C2SP signed-note, tlog-checkpoint, tlog-cosignature, tlog-policy and tlog-proof. A line
a check, what was not checked, the verdict last. Exit code 0 valid, 1 invalid, 2 could not check. It opens and counts all that a
bill rests on; it does not compute the amount again, and says so. Of a list it prints a code and a verdict a case, and exits with 0.
"""
import argparse, sys
from pathlib import Path

sys.dont_write_bytecode = True  # this folder stays as it was handed over

from blake3 import blake3
from c2sp import LOG_KEY, WITNESS_KEY, Head, Invalid, Key, Policy, Proof, Unable, check_openssl, in_log, is_signed, need
from records import (
    ACTIVATION, BATCH, BATCH_COMMIT, BATCH_PARTITION, BILLS_COMMIT, CONTRACTS, CORRECTIONS_COMMIT, ESTIMATED, GENESIS, MOTION, PARTIES, PERIOD,
    PERIOD_PARTITION, PUBLISH, Bill, Block, Commit, Reader, Receipt, Root, attesters_of, day_of, days_of, document_of, in_tree, log_leaf, month_of,
)


class Checks:
    """The checks of a receipt in their order; each believes only what passed before it."""

    def __init__(self, receipt: Receipt, policy: Policy) -> None:
        self.of, self.policy = receipt, policy
        self.not_checked = ["that the meter itself measured right"]

    def signatures(self) -> str:
        self.head, seen = self.policy.head(self.of.proof.note, refuse_unknown=True)
        return f"{self.head.origin} of size {self.head.size}, cosigned by {', '.join(seen) or 'nobody, as the policy allows'}"

    def inclusion(self) -> str:
        blocks = [*self.of.blocks, self.of.sealed_by]
        for block in blocks + self.of.motions + (self.of.before_block if self.of.is_bill else []):
            need(block.leaf_height == block.height and block.leaf_block == block.hash, f"block {block.height}: its log leaf names another")
            in_log(block.leaf, block.height, self.head.size, block.path, self.head.root)
            need(block in blocks + self.of.motions or block.height < blocks[-1].height, f"block {block.height} is to stand before the sealing one")
        for one, two in [*zip(blocks, blocks[1:]), *zip(self.of.motions, self.of.motions[1:])]:
            need(one.height < two.height, f"block {two.height} stands behind block {one.height}")
            linked = two.parent == one.hash and two.leaf_parent == log_leaf(one.leaf)
            need(two.height > one.height + 1 or linked, f"block {two.height} does not name the one before it")
        need(self.of.proof.index == blocks[-1].height, "the proof is of another leaf than the sealing block's")
        return f"block {blocks[-1].height} and {len(blocks) - 1} before it are in the log"

    def chain(self) -> str:
        first, *others = self.of.blocks
        need(first.kind == GENESIS and first.height == 0, "the first block is no genesis")
        need(not any(first.chain + first.parent + first.leaf_parent), "the genesis names a block before it")
        r = first.command
        self.origin, self.currency = r.text(), r.take(3)
        need(self.origin == self.head.origin, f"the genesis is of {self.origin}")
        r.text()
        named = [[Key.parse(r.text(), LOG_KEY), Key.parse(r.text(), WITNESS_KEY), Key.parse(r.text(), LOG_KEY)] for _ in range(3)]
        text = r.text()
        witness = Key.parse(text, WITNESS_KEY) if text else None
        asked = attesters_of(r)
        r.end()
        self.tenures, self.seen = [(0, named, witness)], set()
        self.take_new([key for keys in named for key in keys] + [witness] * (witness is not None))
        need(witness is None or witness.name not in {key.name for keys in named for key in keys}, "the witness has a party's name")
        for block in self.of.motions:
            self.follow(block)
        _, named, witness = self.in_force(self.head.size - 1)
        known = {key for log, cosigner, _ in named for key in (log, cosigner)} | {witness}
        need(known.issuperset(self.policy.logs + self.policy.witnesses), "a key of the policy is not in force at the head")
        before = self.of.before_block if self.of.is_bill else []
        for block in [first, *others, *self.of.motions, self.of.sealed_by, *before]:
            need(block.height == 0 or block.chain == first.hash, f"block {block.height} is of another chain")
            for party, signature in block.attestations:
                signed = is_signed(self.exec_key(party, block.height), block.attest_text.encode(), signature)
                need(signed, f"block {block.height}: party {party} did not attest it")
            parties = {party for party, _ in block.attestations}
            need(len(parties) >= 2 and block.proposer in parties, f"block {block.height} is not attested by its proposer and another")
            need(parties <= asked.get(block.asked, set()), f"block {block.height} is attested by who does not recompute its kind")
        self.supporting(others)
        kind, sealed = self.of.sealed_by.kind, self.of.sealed_by
        if self.of.is_bill:
            need(kind == (CORRECTIONS_COMMIT if self.of.is_corrected else BILLS_COMMIT), "the block commits no such thing")
            self.commit = Commit(sealed)
        else:
            need(kind == BATCH_COMMIT and not others, "a day is sealed by a batch, and needs the genesis alone")
            sealed.command.take(40)
            self.readings_root = sealed.command.root()
        if self.of.motions:
            self.not_checked.append("that no later motion took these keys away")
        return f"chain {first.hash.hex()[:8]}, each block attested by two or more of those who recompute its kind"

    def in_force(self, height: int) -> tuple[int, list[list[Key]], Key | None]:
        """The keys in force at a block: of the last motion that holds there."""
        return [tenure for tenure in self.tenures if tenure[0] <= height][-1]

    def exec_key(self, party: int, height: int) -> bytes:
        return self.in_force(height)[1][party - 1][2].public

    def take_new(self, keys: list[Key]) -> None:
        publics = [key.public for key in keys]
        need(len(set(publics)) == len(publics) and self.seen.isdisjoint(publics), "a key that is somebody's, or was")
        self.seen |= set(publics)

    def follow(self, block: Block) -> None:
        """A motion: its number, its height, keys that nobody had, and the consents of all by the keys in force before it."""
        need(block.kind == MOTION, f"block {block.height} is no motion")
        r = block.command
        count, start, kind = r.int(8), r.int(8), r.int(1)
        since, named, witness = self.tenures[-1]
        need(count == len(self.tenures) <= 256, f"motion {count} is not the next")
        need(since <= block.height < start <= block.height + 1024, f"motion {count} takes effect from block {start}")
        if kind == 1:
            party = r.int(1)
            need(1 <= party <= 3, "keys of nobody")
            texts, old = [r.text() for _ in range(3)], named[party - 1]
            keys = [Key.parse(text, key.kind) for text, key in zip(texts, old)]
            new = [key for key, before in zip(keys, old) if key != before]
            need(new != [], "a motion that changes nothing")
            need(keys[0] == old[0] or keys[0].name == self.origin, "a log key that is not named after the log")
            need(witness is None or witness.name not in {key.name for key in new}, "a party's key has the name of the witness")
            what = "keys of {}\nlog {}\nwitness {}\nexec {}".format(PARTIES[party - 1], *texts)
            after = ([*named[: party - 1], keys, *named[party:]], witness)
        else:
            need(kind == 2, "a motion of another kind")
            text = r.text()
            other = Key.parse(text, WITNESS_KEY) if text else None
            need(other != witness, "a motion that changes nothing")
            need(other is None or other.name not in {key.name for keys in named for key in keys}, "the witness has a party's name")
            new, what, after = [other] * (other is not None), f"witness {text or 'none'}", (named, other)
        consents = [r.take(64) for _ in range(3)]
        r.end()
        self.take_new(new)
        text = f"tallywatt/governance/v1\n{self.origin}\nmotion {count}\n{what}\nfrom block {start}\n".encode()
        for keys, signature in zip(named, consents):
            need(is_signed(keys[2].public, text, signature), f"motion {count} has not the consent of all")
        self.tenures.append((start, *after))

    def supporting(self, blocks: list[Block]) -> None:
        """What stands between genesis and sealing block."""
        self.published, self.activations, self.earlier = [], [], []
        for block in blocks:
            r = block.command
            if block.kind == PUBLISH:
                self.published.append((r.int(1), r.name(), r.take(32), r.take(8)))
            elif block.kind == ACTIVATION:
                self.activations.append((block.height, r.take(32), r.int(8), [(r.int(1), r.take(64)) for _ in range(2)]))
            else:
                stands = self.of.is_bill and self.of.previous and not self.earlier and block.kind in (BILLS_COMMIT, CORRECTIONS_COMMIT)
                need(bool(stands), f"block {block.height} is neither a publication nor an activation")
                self.earlier.append(Commit(block))

    def documents(self) -> str:
        self.bill = bill = Bill(self.of.bill[0])
        need(bill.is_correction == self.of.is_corrected, "the record is no such bill")
        wanted = [document_of(record, 1) for record in self.of.tariffs]
        wanted.append(document_of(self.of.agreement, 2))
        wanted += [document_of(record, {b"\x3d": 5, b"\x44": 8}.get(record[1:2], 6)) for record in self.of.market]
        need(set(wanted) <= set(self.published), "a document was not published")
        need(len(wanted) == len(self.published), "publications of other documents")
        hashes = [document[2] for document in wanted]
        need(len(bill.tariffs) == len(self.of.tariffs), "the bill names other tariff versions")
        need([*bill.tariffs, bill.agreement, *bill.market] == hashes, "the bill names other documents, or in another order")
        need(len(self.activations) == 1, f"{len(self.activations)} activations of the agreement, one needed")
        (height, agreement, start, consents), = self.activations
        r = Reader(self.of.agreement, (5, 0x31))
        self.agreement = r.name()
        r.text(), r.take(3)
        start_day, end_day = r.int(4, signed=True), r.int(4, signed=True)
        parties = sorted({r.int(1), r.int(1)})
        need({*parties} <= {1, 2, 3}, "an agreement between parties that are none")
        text = f"tallywatt/agreement/v1\n{self.origin}\n{self.agreement} {agreement.hex()}\nfrom block {start}\n".encode()
        need(agreement == bill.agreement and [party for party, _ in consents] == parties, "the activation is of another agreement")
        for party, signature in consents:
            need(is_signed(self.exec_key(party, height), text, signature), f"party {party} did not sign the agreement")
        need(max(start, height) <= self.of.sealed_by.height, "the agreement did not hold yet")
        self.days = days_of(bill.period)
        need(start_day <= self.days[0] and (end_day == -1 or self.days[0] < end_day), "the agreement does not hold in the month")
        need(bill.currency == self.currency, "the bill is in another currency than the ledger")
        return f"{len(wanted)} documents, published; agreement {self.agreement}, signed by both its parties"

    def contracts(self) -> str:
        self.billed: set[tuple] = set()
        last = None
        for record, index, path in self.of.contracts:
            in_tree(CONTRACTS, record, index, path, self.commit.contracts, "contract")
            need(last is None or index == last + 1, "contracts that are no neighbours")
            r, last = Reader(record, (2, 0x32)), index
            account, point, b, c, e = r.name(), r.take(33), r.int(1), r.int(1), r.int(1)
            r.text(), r.name()
            agreement, start, end = r.name(), r.int(4, signed=True), r.int(4, signed=True)
            need(account == self.bill.account, f"a contract of account {account}")
            days = [day for day in self.days if start <= day and (end == -1 or day < end)]
            need(not days or agreement == self.agreement, f"a contract under agreement {agreement}")
            self.billed |= {(point, (c, b, e), day) for day in days}
        if len(self.of.contracts) != self.commit.contracts.count:
            self.not_checked.append("that the account has no contract but these")
        return f"{len(self.of.contracts)} of account {self.bill.account}, in a list of {self.commit.contracts.count}"

    def readings(self) -> str:
        leaves, root = self.of.leaves, self.commit.readings if self.of.is_bill else self.readings_root
        low, high, tag = (PERIOD_PARTITION, PERIOD, 2) if self.of.is_bill else (BATCH_PARTITION, BATCH, 1)
        need(root.count == 256, "the sealed root is not over 256 partitions")
        summaries: dict[int, Root] = {}
        for record, path in self.of.partitions:
            r = Reader(record, (1, 0x20))
            partition = r.int(1)
            need(not summaries or partition > max(summaries), "partitions out of order")
            in_tree(high, record, partition, path, root, f"partition {partition}")
            summaries[partition] = r.root()
        keys = [leaf.key for leaf in leaves]
        need(all(one < two for one, two in zip(keys, keys[1:])), "leaves out of order")
        need({leaf.partition for leaf in leaves} == set(summaries), "a partition is missing, or one too many")
        for leaf in leaves:
            need(leaf.tag == tag, f"{leaf}: a leaf of another kind of tree")
            in_tree(low, leaf.record, leaf.index, leaf.path, summaries[leaf.partition], str(leaf))
        if not self.of.is_bill:
            need(len(leaves) == 1, "more leaves than one")
            leaf, = leaves
            code = f"1-{leaf.register[1]}:{leaf.register[0]}.8.{leaf.register[2]}"
            need(self.of.subject == f"day {day_of(leaf.day)} {code} {leaf.name}", f"a leaf of {leaf}")
            self.not_checked.append("that no later revision of this day was sealed")
        else:
            self.nothing_withheld()
        return f"{sum(len(leaf.values) for leaf in leaves)} intervals of {len(leaves)} days, {sum(sum(leaf.values) for leaf in leaves)} Wh"

    def nothing_withheld(self) -> None:
        """Between two leaves of a register there is room for days that no contract bills, and for no other."""
        for leaf in self.of.leaves:
            need(leaf.key in self.billed, f"no contract bills {leaf}")
        for one, two in zip(self.of.leaves, self.of.leaves[1:]):
            if one.key[:2] == two.key[:2]:
                room = sum((*one.key[:2], day) not in self.billed for day in range(one.day + 1, two.day))
                need(0 <= two.index - one.index - 1 <= room, f"a leaf between {one} and {two} is kept back")
        without = len(self.billed) - len(self.of.leaves)
        if without > 0:
            self.not_checked.append(f"that no readings exist for {without} days without a leaf")

    def completeness(self) -> str:
        qualities = b"".join(leaf.qualities for leaf in self.of.leaves)
        estimated = sum(qualities.count(code) for code in ESTIMATED)
        missing = qualities.count(255)
        found = (len(qualities) - estimated - missing, estimated)
        bill = self.bill
        stated = (bill.measured, bill.estimated)
        need(stated == found, f"the bill says {stated} measured and estimated, the leaves give {found}")
        need(bill.missing >= missing and bill.expected == bill.missing + sum(found), "the bill's count of missing intervals")
        return f"{bill.measured} measured, {bill.estimated} estimated, {bill.missing} missing"

    def amount(self) -> str:
        bill = self.bill
        need(bill.period == self.commit.period and bill.readings == self.commit.readings.hash, "the bill is of other readings")
        need(bill.sum == bill.total, f"the lines come to {bill.sum}, the bill says {bill.total}")
        need((bill.previous is not None) == bool(self.of.previous) == bool(self.earlier), "the bill before it is not here, or is of no use")
        for record, index, path in self.of.previous:
            stood, commit = Bill(record), self.earlier[0]
            need(blake3(record) == bill.previous and stood.is_correction == (commit.day is not None), "another bill before it")
            need(stood.account == bill.account, "the bill before it is of another account")
            need(stood.period == commit.period == bill.period - 1, "the bill before it is of another month")
            in_tree(commit.tree, record, index, path, commit.list, "the bill before it")
        self.not_checked.append("that the lines follow from the readings, the tariff and the agreement: the amount is not computed again")
        return f"the lines and taxes come to {bill.total} minor units"

    def correction(self) -> str:
        need(self.bill.day == self.commit.day and (self.bill.before is not None) == bool(self.of.before), "before it something else stood")
        for (record, index, path), block in zip(self.of.before, self.of.before_block):
            stood = Bill(record)
            need(blake3(record) == self.bill.before, "the correction names another bill before it")
            need((stood.account, stood.period) == (self.bill.account, self.bill.period), "what stood before is of another account or month")
            need(block.kind == (CORRECTIONS_COMMIT if stood.is_correction else BILLS_COMMIT), "its block commits no such thing")
            commit = Commit(block)
            need(commit.period == stood.period, "its block is of another month")
            in_tree(commit.tree, record, index, path, commit.list, "what stood before")
        self.not_checked.append("the difference to what stood before, and what is charged of it")
        return "what stood before was issued"

    def record(self) -> str:
        need(self.of.subject == f"bill {month_of(self.bill.period)} {self.bill.account}", "the bill is of another subject")
        in_tree(self.commit.tree, *self.of.bill, self.commit.list, "the bill")
        self.not_checked.append("that no other bill exists for this account and month")
        return f"bill {self.of.bill[1] + 1} of {self.commit.list.count}"


BILL = ("signatures", "inclusion", "chain", "documents", "contracts", "readings", "completeness", "amount", "record")
CORRECTED = (*BILL[:-1], "correction", "record")
DAY = ("signatures", "inclusion", "chain", "readings")


def verify(content: bytes, policy: Policy, leaf: bytes | None) -> tuple[int, list[str]]:
    """The exit code, and the report: a line a check, what was not checked, the verdict."""
    lines, name, not_checked = [], "file", []
    try:
        if leaf is not None:
            proof = Proof.parse(content.decode())
            head, seen = policy.head(proof.note, refuse_unknown=False)
            in_log(leaf, proof.index, head.size, proof.path, head.root)
            return 0, [f"VALID    leaf {proof.index} of {head.origin}, size {head.size}, cosigned by {', '.join(seen) or 'nobody'}"]
        receipt = Receipt(content)
        checks = Checks(receipt, policy)
        names = DAY if not receipt.is_bill else CORRECTED if receipt.is_corrected else BILL
        lines.append(f" pass  file         receipt of {len(content)} bytes")
        for name in names:
            lines.append(f" pass  {name:<12} {getattr(checks, name)()}")
        lines += [f" not checked        {text}" for text in checks.not_checked]
        return 0, [*lines, f"VALID    {receipt.subject}"]
    except (Invalid, UnicodeError, ValueError, OverflowError) as error:
        return 1, [*lines, f" fail  {name:<12} {error}", f"INVALID  {name}: {error}"]
    except Unable as error:
        return 2, [*lines, f" skip  {name:<12} {error}", f"UNCHECKED {name}: {error}"]


def read_policy(path: str) -> Policy:
    try:
        return Policy(Path(path).read_bytes().decode())
    except (Invalid, UnicodeError) as error:
        raise Unable(f"{path} is not a policy: {error}") from None


def check_file(path: str, policy: str, leaf: str | None) -> tuple[int, list[str]]:
    try:
        return verify(Path(path).read_bytes(), read_policy(policy), Path(leaf).read_bytes() if leaf else None)
    except (OSError, Unable) as error:
        return 2, [f"UNCHECKED file: {error}"]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("file", nargs="?")
    parser.add_argument("--policy")
    parser.add_argument("--leaf")
    parser.add_argument("--list")
    options = parser.parse_args()
    if (options.list is None) == (options.file is None or options.policy is None):
        parser.error("give a file and its policy, or a list")
    try:
        check_openssl()
    except Unable as error:
        print(f"UNCHECKED {error}")
        return 2
    if options.list is None:
        code, lines = check_file(options.file, options.policy, options.leaf)
        print("\n".join(lines))
        return code
    for case in Path(options.list).read_text().splitlines():
        code, lines = check_file(*(case.split("\t") + [None])[:3])
        print(code, lines[-1])
    return 0


if __name__ == "__main__":
    sys.exit(main())
