/** A place text goes to: standard output, standard error, or a test's memory. */
export interface OutputStream {
  /** Whether a person's terminal is at the other end. */
  readonly isTTY?: boolean;
  /** Width of that terminal in characters. */
  readonly columns?: number;
  write(text: string, done?: (error?: Error | null) => void): boolean;
}

/** Columns to lay text out for: those of the terminal, at most 120; 80 where there is none. */
export function layoutWidth({ columns }: OutputStream): number {
  return columns === undefined || columns <= 0 ? 80 : Math.min(columns, 120);
}

/** Write all of `text`. A reader that has gone away (`| head`) is no failure; anything else rejects. */
export function writeAll(stream: OutputStream, text: string): Promise<void> {
  return new Promise((resolve, reject) => {
    stream.write(text, (error) => {
      if (!error || ("code" in error && error.code === "EPIPE")) resolve();
      else reject(error);
    });
  });
}
