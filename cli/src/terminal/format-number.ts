/** A count with its thousands set apart: 412,717. */
export function formatCount(count: number): string {
  return Math.round(count).toLocaleString("en-US");
}

/** A number with `digits` significant digits, without an exponent unless it is very small or large; "–" where there is none. */
export function formatNumber(value: number | null, digits = 4): string {
  if (value === null || Number.isNaN(value)) return "–";
  if (value === 0 || !Number.isFinite(value)) return String(value);
  const magnitude = Math.abs(value);
  return magnitude < 1e-4 || magnitude >= 1e6 ? formatScientific(value, digits) : value.toPrecision(digits);
}

/** A number with `digits` significant digits and an exponent: -2.84e-4; "–" where there is none. */
export function formatScientific(value: number | null, digits = 3): string {
  if (value === null || Number.isNaN(value)) return "–";
  return value.toExponential(digits - 1).replace("e+", "e");
}

/** A number with `decimals` digits after the point; "–" where there is none. */
export function formatFixed(value: number | null, decimals: number): string {
  return value === null || Number.isNaN(value) ? "–" : value.toFixed(decimals);
}

/** A share in per cent: 31.6 %; "–" where there is none. */
export function formatShare(share: number | null, decimals = 1): string {
  return share === null || Number.isNaN(share) ? "–" : `${(100 * share).toFixed(decimals)} %`;
}

/** An amount of memory: 27.9 MiB. */
export function formatBytes(bytes: number): string {
  const units = ["bytes", "KiB", "MiB", "GiB", "TiB"];
  const power = bytes < 1 ? 0 : Math.min(units.length - 1, Math.floor(Math.log2(bytes) / 10));
  return power === 0 ? `${bytes} bytes` : `${(bytes / 2 ** (10 * power)).toFixed(1)} ${units[power]}`;
}

/** A span of time: 4 s, 2 min 10 s, 3 h 5 min. */
export function formatSeconds(seconds: number): string {
  if (!Number.isFinite(seconds)) return "–";
  const whole = Math.max(0, Math.round(seconds));
  if (whole < 60) return `${whole} s`;
  if (whole < 3600) return `${Math.floor(whole / 60)} min ${whole % 60} s`;
  return `${Math.floor(whole / 3600)} h ${Math.floor((whole % 3600) / 60)} min`;
}
