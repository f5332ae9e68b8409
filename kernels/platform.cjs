const { join } = require("node:path");

/**
 * The addon for this platform: "build" is what was built here, "prebuilt" what came with the package. Linux has two kinds of C
 * library; what is linked to one does not load beside the other.
 *
 * @param {"build" | "prebuilt"} folder
 * @returns {string} path of the file, whether or not it exists
 */
exports.addonPath = (folder) => {
  const library = process.platform === "linux" && !usesGlibc() ? "-musl" : "";
  return join(__dirname, folder, `${process.platform}-${process.arch}${library}`, "saestitch.node");
};

function usesGlibc() {
  process.report.excludeNetwork = true;
  return process.report.getReport().header.glibcVersionRuntime !== undefined;
}
