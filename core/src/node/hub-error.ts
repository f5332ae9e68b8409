/** Reading from a model hub failed; what failed is the subclass, what to do about it is in the message. */
export class HubError extends Error {
  override readonly name: string = "HubError";
}

/** The hub has no such repository, revision or path; the message says which. */
export class HubNotFoundError extends HubError {
  override readonly name = "HubNotFoundError";
}

/** The hub refuses: the repository is gated and its licence not accepted, or the token is missing or wrong. */
export class HubAccessError extends HubError {
  override readonly name = "HubAccessError";
}

/** The hub cannot be reached, keeps breaking off, or may not be asked because `HF_HUB_OFFLINE` is set. */
export class HubUnreachableError extends HubError {
  override readonly name = "HubUnreachableError";
}

/** The hub's answer is not what it must be: a wrong hash or length, a name that leads out of the cache, broken JSON. */
export class HubContentError extends HubError {
  override readonly name = "HubContentError";
}

/** The cache folder cannot be written: the disk is full or the folder is protected. */
export class HubDiskError extends HubError {
  override readonly name = "HubDiskError";
}
