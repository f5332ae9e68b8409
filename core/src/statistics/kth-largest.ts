/**
 * The `k`-th largest of `values`, k from 1 to their number; equal values count each. Expected time in proportion to the number of
 * values (quickselect with the median of three as pivot). NaN is not allowed.
 */
export function kthLargest(values: Float32Array, k: number): number {
  if (!(Number.isInteger(k) && k >= 1 && k <= values.length))
    throw new RangeError(`Cannot take the ${k}-th largest of ${values.length} values`);
  const v = values.slice();
  const place = k - 1;
  let low = 0;
  let high = v.length - 1;
  while (low < high) {
    const pivot = medianOfThree(v[low], v[(low + high) >> 1], v[high]);
    let i = low;
    let j = high;
    while (i <= j) {
      while (v[i] > pivot) i++;
      while (v[j] < pivot) j--;
      if (i > j) break;
      [v[i], v[j]] = [v[j], v[i]];
      i++;
      j--;
    }
    if (place <= j) high = j;
    else if (place >= i) low = i;
    else break;
  }
  return v[place];
}

function medianOfThree(a: number, b: number, c: number): number {
  return Math.max(Math.min(a, b), Math.min(Math.max(a, b), c));
}
