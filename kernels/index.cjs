const { addonPath } = require("./platform.cjs");

const failures = [];

/** The addon, the one built here before the one that came with the package. */
function load() {
  for (const folder of ["build", "prebuilt"]) {
    try {
      return require(addonPath(folder));
    } catch (error) {
      // A file that is there and does not load says more than one that is not.
      if (error.code === "MODULE_NOT_FOUND") failures.push(`there is no ${folder} addon for this platform`);
      else failures.unshift(`the ${folder} addon does not load: ${error.message}`);
    }
  }
  throw new Error(failures.join("; "));
}

module.exports = load();
