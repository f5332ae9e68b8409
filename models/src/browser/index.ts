export { type BrowserModelOptions, openBrowserModel } from "./open-browser-model.ts";
