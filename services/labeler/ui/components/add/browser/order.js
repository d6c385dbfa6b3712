// The order of the cards: as the files came while answers are missing, then the most doubtful first.
const RANK = { lost: 0, waiting: 0, sending: 0, saving: 0, stored: 1, refused: 3 };

/** Whether nothing more is expected of any of them soon. */
export function settled(entries) {
  return entries.every(({ state, prediction, unanswered }) => {
    return state === "refused" || state === "lost" || (state === "stored" && (prediction || unanswered));
  });
}

/** Return the entries: what has to be done about first, then by the margin between the two likeliest labels, then known
 * ones that have a label, refused ones last. */
export function doubtfulFirst(entries) {
  return [...entries].sort((one, other) => rank(one) - rank(other) || margin(one) - margin(other));
}

function rank({ state, known }) {
  return state === "stored" && known?.label ? 2 : RANK[state];
}

function margin({ prediction }) {
  if (!prediction) return -1;
  const [first, second = 0] = Object.values(prediction.probabilities).sort((one, other) => other - one);
  return first - second;
}
