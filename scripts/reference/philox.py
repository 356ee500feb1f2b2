"""Prints Philox 4x32-10's words as signed numbers, for test/engine/uniform.test.ts: plain Python integers.

    python scripts/reference/philox.py
"""

MULTIPLIERS = (0xD2511F53, 0xCD9E8D57)
STEPS = (0x9E3779B9, 0xBB67AE85)


def philox(counter, key):
    a, b, c, d = counter
    k0, k1 = key
    for _ in range(10):
        p0, p1 = MULTIPLIERS[0] * a, MULTIPLIERS[1] * c
        a, b, c, d = (p1 >> 32) ^ b ^ k0, p1 & 0xFFFFFFFF, (p0 >> 32) ^ d ^ k1, p0 & 0xFFFFFFFF
        k0, k1 = (k0 + STEPS[0]) & 0xFFFFFFFF, (k1 + STEPS[1]) & 0xFFFFFFFF
    return a, b, c, d


if __name__ == "__main__":
    # Known answers of the authors' library (Random123, kat_vectors): philox4x32 10, all 0 and all ones
    assert philox((0,) * 4, (0,) * 2) == (0x6627E8D5, 0xE169C58D, 0xBC57AC4C, 0x9B00DBD8)
    assert philox((0xFFFFFFFF,) * 4, (0xFFFFFFFF,) * 2) == (0x408F276D, 0x41C83B0E, 0xA20BC7C6, 0x6D5451FD)
    print([(word ^ 2**31) - 2**31 for place in (5, 6) for word in philox((place, 0, 3, 0), (1234567, 0))])
