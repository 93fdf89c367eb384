// The random numbers of NumPy's `default_rng(20_261_201)`, so that the same rows are drawn: PCG64 of M. O'Neill.

const MULTIPLIER = 47026247687942121848144207491837523525n;
const INCREMENT = 332893962180010647281086548980830151785n;
const START = 41750888793400594321129917388235538092n;

/** Return a function that returns the next number, from 0 to 1. */
export function randomNumbers() {
  let state = START;
  return () => {
    state = BigInt.asUintN(128, state * MULTIPLIER + INCREMENT);
    const [mixed, turn] = [BigInt.asUintN(64, (state >> 64n) ^ state), state >> 122n];
    const turned = BigInt.asUintN(64, (mixed >> turn) | (mixed << (64n - turn)));
    return Number(turned >> 11n) / 2 ** 53;
  };
}
