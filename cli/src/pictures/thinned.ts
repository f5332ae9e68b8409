/** Every so many-th of the items, at most `most`, the last one always among them. */
export function thinned<Item>(items: readonly Item[], most: number): readonly Item[] {
  const step = Math.ceil(items.length / most);
  return step <= 1 ? items : items.filter((_, i) => i % step === 0 || i === items.length - 1);
}
