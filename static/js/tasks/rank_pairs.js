// Orders by asking about two at a time, with few questions: each new one is put into the order so
// far by halving. Pure: the answers given so far tell what to ask next.

/** The order as far as `answers` lead, and the next question, if one is left.
 *
 *  `units` are lists of ids that stand for the same thing. An answer is the id that is better, or
 *  anything else where neither is; those two then share a place. Gives `{ order, pair, left }`:
 *  groups best first; the two to ask about, or null; at most so many questions to come.
 */
export function replay(units, answers) {
  const open = [...answers];
  let order = units.slice(0, 1);
  for (const [done, unit] of units.entries()) {
    if (done === 0) continue;
    let [low, high, tie] = [0, order.length, -1];
    while (low < high) {
      const middle = (low + high) >> 1;
      const pair = [order[middle][0], unit[0]];
      if (!open.length) return { order, pair, left: questions(high - low) + later(units, order, done) };
      const better = open.shift();
      if (better === pair[0]) low = middle + 1;
      else if (better === pair[1]) high = middle;
      else [tie, low] = [middle, high];
    }
    order = tie < 0 ? insert(order, low, unit) : join(order, tie, unit);
  }
  return { order, pair: null, left: 0 };
}

const insert = (order, at, unit) => [...order.slice(0, at), unit, ...order.slice(at)];

const join = (order, at, unit) =>
  order.map((group, place) => (place === at ? [...group, ...unit] : group));

/** Questions it takes at most to find one of `places` places, or the gap before or behind them. */
const questions = (places) => Math.ceil(Math.log2(places + 1));

/** Questions at most about the units after the one in hand. */
function later(units, order, inHand) {
  let sum = 0;
  for (let size = order.length + 1; size < order.length + units.length - inHand; size += 1) {
    sum += questions(size);
  }
  return sum;
}
