/** A file, or a part of it, is not what its format promises. The message names the file, the value and what was expected. */
export class FormatError extends Error {
  override readonly name = "FormatError";
}

/** Two values that must fit together do not: shapes, widths or counts. */
export class ShapeError extends Error {
  override readonly name = "ShapeError";
}

/** What was asked for is well formed but cannot be done: an unknown architecture, an option that does not apply. */
export class UnsupportedError extends Error {
  override readonly name = "UnsupportedError";
}

/** The numbers themselves cannot be worked with: NaN or infinite values, an empty sample. */
export class DataError extends Error {
  override readonly name = "DataError";
}
