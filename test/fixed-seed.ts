import fc from "fast-check";

/**
 * Property tests draw the same cases every time, so that a change, not chance, decides whether the tests pass. To look for
 * cases not yet drawn, set SAESTITCH_SEED to any other integer.
 */
fc.configureGlobal({ seed: Number(import.meta.env.SAESTITCH_SEED) });
