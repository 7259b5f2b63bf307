// Orders with ties, as lists of groups, best first. Pure: every function gives a new order.

const without = (groups, id) =>
  groups.map((group) => group.filter((each) => each !== id)).filter((group) => group.length);

const insert = (groups, index, group) => [...groups.slice(0, index), group, ...groups.slice(index)];

export const placeOf = (groups, id) => groups.findIndex((group) => group.includes(id));

/** One place up (-1) or down (1). Out of a tie first, then past the neighbouring place. */
export function move(groups, id, step) {
  const place = placeOf(groups, id);
  if (groups[place].length > 1) return insert(without(groups, id), step < 0 ? place : place + 1, [id]);
  const target = place + step;
  if (target < 0 || target >= groups.length) return groups;
  return insert(without(groups, id), target, [id]);
}

/** To the place with this number, counted from 0; the others make room. */
export function put(groups, id, place) {
  const rest = without(groups, id);
  return insert(rest, Math.min(place, rest.length), [id]);
}

export function isTiedUp(groups, id) {
  return groups[placeOf(groups, id)].indexOf(id) > 0;
}

/** As good as the one above, or, if it is so already, a place of its own below. */
export function toggleTie(groups, id) {
  const place = placeOf(groups, id);
  if (isTiedUp(groups, id)) return insert(without(groups, id), place + 1, [id]);
  if (place === 0) return groups;
  const above = groups[place - 1];
  const joined = groups.map((group) => (group === above ? [...above, id] : group.filter((each) => each !== id)));
  return joined.filter((group) => group.length);
}

/** After dragging: `ids` in their new order. Dropped between two that tie, it ties with them. */
export function dropped(groups, ids, id) {
  const index = ids.indexOf(id);
  const before = ids[index - 1];
  const after = ids[index + 1];
  const rest = without(groups, id);
  const isInside = before && after && placeOf(rest, before) === placeOf(rest, after);
  if (isInside) {
    const target = rest[placeOf(rest, before)];
    const at = target.indexOf(before) + 1;
    return rest.map((group) => (group === target ? [...group.slice(0, at), id, ...group.slice(at)] : group));
  }
  return insert(rest, before ? placeOf(rest, before) + 1 : 0, [id]);
}

/** Groups from the numbers people or a draft gave; null if one is missing. */
export function fromNumbers(numbers) {
  const byNumber = new Map();
  for (const [id, number] of numbers) {
    if (!number) return null;
    byNumber.set(number, [...(byNumber.get(number) || []), id]);
  }
  return [...byNumber.keys()].sort((a, b) => a - b).map((number) => byNumber.get(number));
}
