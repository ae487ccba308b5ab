"""The town that everybody bills: its meters, half-hours, zones and tariffs, by a formula of integers.

The same meter has the same readings in a town of any size, on every machine and in every language: there is no
generator with a state, only a hash of (meter, half-hour).
"""

import datetime
from dataclasses import dataclass

import numpy as np

HALF_HOURS = 48
FIRST_DAY = datetime.date(2026, 1, 1)
WORD = np.uint64

PEAK, SHOULDER, NIGHT = 0, 1, 2

# Load in thousandths of a meter's scale, an hour a number; working day, then weekend.
HOME = (
    [620, 560, 520, 500, 510, 600, 850, 1200, 1150, 950, 880, 870]
    + [900, 880, 870, 900, 1000, 1300, 1650, 1800, 1750, 1550, 1200, 850],
    [700, 620, 560, 530, 520, 560, 680, 900, 1150, 1250, 1280, 1250]
    + [1230, 1200, 1180, 1180, 1220, 1400, 1600, 1700, 1650, 1500, 1250, 900],
)
SHOP = (
    [350, 330, 320, 320, 330, 380, 600, 1000, 1500, 1750, 1800, 1800]
    + [1750, 1780, 1780, 1750, 1650, 1500, 1250, 1000, 800, 600, 450, 380],
    [340, 330, 320, 320, 320, 330, 380, 450, 550, 650, 700, 720]
    + [720, 720, 700, 680, 650, 600, 550, 500, 450, 420, 380, 350],
)
PLANT = (
    [850, 840, 840, 840, 850, 880, 950, 1050, 1120, 1150, 1160, 1150]
    + [1120, 1150, 1160, 1150, 1130, 1100, 1080, 1050, 1020, 980, 920, 880],
    [780, 770, 770, 770, 770, 780, 790, 800, 810, 820, 820, 820]
    + [820, 820, 820, 820, 810, 810, 810, 800, 800, 790, 790, 780],
)
CLASSES = (HOME, SHOP, PLANT)

# Smallest scale in Wh a half-hour and how many scales follow it, by class; a class ends at this percentile.
SCALES = ((60, 240), (1_000, 6_000), (20_000, 180_000))
CLASS_ENDS = (90, 99)


@dataclass(frozen=True)
class Tariff:
    """Prices in 1e-5 rouble: a kWh, a kW of demand, a day. Tiers in Wh a month; a tier out of reach is 2**40."""

    tariff_id: int
    zones: int
    price_1: int
    price_2: int
    price_3: int
    tier_1_wh: int
    tier_2_wh: int
    adder_1: int
    adder_2: int
    demand: int
    day: int


UNREACHED = 1 << 40
TARIFFS = (
    Tariff(0, 1, 643_127, 0, 0, UNREACHED, UNREACHED, 0, 0, 0, 151_250),
    Tariff(1, 2, 739_615, 302_375, 0, UNREACHED, UNREACHED, 0, 0, 0, 151_250),
    Tariff(2, 3, 836_250, 643_125, 302_375, UNREACHED, UNREACHED, 0, 0, 0, 175_500),
    Tariff(3, 3, 836_250, 643_125, 302_375, 150_000, 600_000, 137_500, 411_250, 0, 175_500),
    Tariff(4, 3, 511_625, 498_375, 277_125, UNREACHED, UNREACHED, 0, 0, 81_245_500, 1_250_000),
)
VAT_PERCENT = 20


@dataclass(frozen=True)
class Totals:
    """What every engine must arrive at. The checksum weighs a bill by its meter, so that bills cannot trade places."""

    energy_wh: int
    total_kop: int
    checksum: int


# For 30 days, by the number of meters.
KNOWN_DAYS = 30
KNOWN = {
    1_000: Totals(2_333_405_358, 2_104_078_446, 835_037_791_476),
    6_944: Totals(17_267_478_404, 14_783_287_472, 7_337_651_087_400),
    10_000: Totals(24_653_898_084, 21_219_921_481, 10_688_417_338_710),
    100_000: Totals(231_167_167_767, 201_061_853_176, 101_501_994_147_696),
}


def known_totals(meters: int, days: int) -> Totals | None:
    """The totals of a town whose size is in the table."""
    return KNOWN.get(meters) if days == KNOWN_DAYS else None


def scramble(x: np.ndarray) -> np.ndarray:
    """The finaliser of splitmix64: 64 bits in, 64 well-mixed bits out."""
    x = (x ^ (x >> WORD(30))) * WORD(0xBF58476D1CE4E5B9)
    x = (x ^ (x >> WORD(27))) * WORD(0x94D049BB133111EB)
    return x ^ (x >> WORD(31))


def is_weekend(day: int) -> bool:
    """Whether a day, counted from the first of January 2026, is a Saturday or a Sunday."""
    return (FIRST_DAY + datetime.timedelta(days=day)).weekday() >= 5


def readings_wh(meters: range, days: int) -> np.ndarray:
    """The readings of some meters in Wh, as int32 of shape (meters, days × 48)."""
    with np.errstate(over="ignore"):
        meter = np.arange(meters.start, meters.stop, dtype=WORD)[:, None]
        percentile = scramble(meter ^ WORD(0xA5A5A5A5)) % WORD(100)
        kind = np.searchsorted(np.array(CLASS_ENDS, WORD), percentile, side="right")
        smallest, count = (np.array(column, WORD)[kind] for column in zip(*SCALES))
        scale = smallest + scramble(meter ^ WORD(0x11111111)) % count

        half_hour = np.arange(days * HALF_HOURS, dtype=WORD)[None, :]
        luck = scramble(meter * WORD(1_000_003) + half_hour)
        base = scale * shapes(days)[kind[:, 0]] // WORD(1_000)
        wh = base * (WORD(500) + luck % WORD(1_001)) // WORD(1_000)
        has_kettle = (kind == 0) & ((luck >> WORD(32)) % WORD(50) < WORD(3))
        wh += has_kettle * (WORD(500) + (luck >> WORD(40)) % WORD(1_500))
    return wh.astype(np.int32)


def shapes(days: int) -> np.ndarray:
    """The load shape of each class over the whole period, of shape (classes, days × 48)."""
    hours = np.array([[shape[is_weekend(day)] for day in range(days)] for shape in CLASSES], dtype=WORD)
    return np.repeat(hours, 2, axis=2).reshape(len(CLASSES), days * HALF_HOURS)


def zone_of(day: int, half_hour: int) -> int:
    """Peak: 7–10 and 17–21 on working days. Night: 23–7. The rest lies between."""
    hour = half_hour // 2
    if hour >= 23 or hour < 7:
        return NIGHT
    is_peak = not is_weekend(day) and (7 <= hour < 10 or 17 <= hour < 21)
    return PEAK if is_peak else SHOULDER


def half_hour_starts(days: int) -> np.ndarray:
    """The starts of all half-hours in milliseconds, local time written as if it were UTC."""
    first = np.datetime64(FIRST_DAY, "ms").astype(np.int64)
    return first + np.arange(days * HALF_HOURS, dtype=np.int64) * 1_800_000
