import { expect, test } from 'vitest';
import { GroupSequence, type Step } from '../src/group-sequence.ts';

/** A sequence of which everything up to `told` is told. Items are their places. */
function sequence(told: number): GroupSequence<number> {
  const own = new GroupSequence<number>();
  own.begin(told);
  return own;
}

const placed = (...seqs: number[]) => seqs.map((seq) => ({ seq, item: seq }));
const step = (tell: number[], fetch?: { from: number; through: number }, skipped = 0): Step<number> =>
  fetch ? { tell, fetch, skipped } : { tell, skipped };

test('the first item of an unknown group begins the order', () => {
  const own = new GroupSequence<number>();
  expect(own.arrived(70, 70)).toEqual(step([70]));
  expect(own.arrived(71, 71)).toEqual(step([71]));
  expect(own.arrived(70, 70)).toEqual(step([]));
  expect(own.told).toBe(71);
});

test('a place is told once', () => {
  const own = sequence(0);
  expect(own.arrived(1, 1)).toEqual(step([1]));
  expect(own.arrived(1, 1)).toEqual(step([]));
});

test('behind a gap everything waits until it is filled, and is asked for once', () => {
  const own = sequence(10);
  expect(own.arrived(14, 14)).toEqual(step([], { from: 11, through: 13 }));
  expect(own.arrived(15, 15)).toEqual(step([]));
  expect(own.arrived(14, 14)).toEqual(step([]));
  expect(own.filled(placed(13, 12, 11), 13)).toEqual(step([11, 12, 13, 14, 15]));
});

test('places that the server does not have are passed over', () => {
  const own = sequence(10);
  own.arrived(14, 14);
  expect(own.filled(placed(12), 13)).toEqual(step([12, 14]));
  expect(own.arrived(15, 15)).toEqual(step([15]));
});

test('what is missing arrives by itself while it is fetched', () => {
  const own = sequence(10);
  own.arrived(12, 12);
  expect(own.arrived(11, 11)).toEqual(step([11, 12]));
  expect(own.filled(placed(11), 11)).toEqual(step([]));
  expect(own.arrived(13, 13)).toEqual(step([13]));
});

test('a second gap is fetched when the first is filled', () => {
  const own = sequence(10);
  own.arrived(12, 12);
  own.arrived(15, 15);
  expect(own.filled(placed(11), 11)).toEqual(step([11, 12], { from: 13, through: 14 }));
  expect(own.filled(placed(13, 14), 14)).toEqual(step([13, 14, 15]));
});

test('the end that the server names is fetched, also when it grows meanwhile', () => {
  const own = sequence(10);
  expect(own.reaches(10)).toEqual(step([]));
  expect(own.reaches(12)).toEqual(step([], { from: 11, through: 12 }));
  expect(own.reaches(14)).toEqual(step([]));
  expect(own.filled(placed(11, 12), 12)).toEqual(step([11, 12], { from: 13, through: 14 }));
  expect(own.filled(placed(13, 14), 14)).toEqual(step([13, 14]));
});

test('the end of an unknown group is where it begins', () => {
  const own = new GroupSequence<number>();
  expect(own.reaches(50)).toEqual(step([]));
  expect(own.arrived(51, 51)).toEqual(step([51]));
});

test('an own message keeps its place without being told or fetched', () => {
  const own = sequence(10);
  expect(own.sent(11)).toEqual(step([]));
  expect(own.arrived(11, 11)).toEqual(step([]));
  expect(own.sent(14)).toEqual(step([]));
  expect(own.arrived(12, 12)).toEqual(step([12]));
  expect(own.arrived(13, 13)).toEqual(step([13]));
  expect(own.told).toBe(14);
});

test('before an own message a gap is fetched when more arrives', () => {
  const own = sequence(10);
  own.sent(13);
  expect(own.arrived(14, 14)).toEqual(step([], { from: 11, through: 12 }));
  expect(own.filled(placed(11, 12), 12)).toEqual(step([11, 12, 14]));
});

test('a gap at the limit is fetched, a larger one is skipped', () => {
  const max = GroupSequence.GAP_MAX;
  expect(sequence(0).arrived(max + 1, 0)).toEqual(step([], { from: 1, through: max }));
  expect(sequence(0).arrived(max + 2, 0)).toEqual(step([0], undefined, max + 1));
  expect(sequence(0).reaches(max)).toEqual(step([], { from: 1, through: max }));
  expect(sequence(0).reaches(max + 1)).toEqual(step([], undefined, max + 1));
});

test('a bounded number of items waits behind a gap', () => {
  const own = sequence(0);
  for (let seq = 3; seq < 3 + GroupSequence.WAITING_MAX; seq++) expect(own.arrived(seq, seq).tell).toEqual([]);
  const { tell, skipped } = own.arrived(3 + GroupSequence.WAITING_MAX, -1);
  expect(skipped).toBe(2);
  expect(tell).toHaveLength(GroupSequence.WAITING_MAX + 1);
  expect(own.filled(placed(1, 2), 2)).toEqual(step([]));
});

test('a fetch that fails skips the gap', () => {
  const own = sequence(10);
  own.arrived(13, 13);
  expect(own.gaveUp()).toEqual(step([13], undefined, 2));
  own.reaches(15);
  expect(own.gaveUp()).toEqual(step([], undefined, 2));
  expect(own.arrived(16, 16)).toEqual(step([16]));
});

test('behind a gap that is skipped the next one is fetched', () => {
  const own = sequence(10);
  own.arrived(13, 13);
  own.arrived(16, 16);
  expect(own.gaveUp()).toEqual(step([13], { from: 14, through: 15 }, 2));
  expect(own.filled(placed(14, 15), 15)).toEqual(step([14, 15, 16]));
});
