/** The release; package.json says the same (a test compares them: reading it would cost a file at every start). */
export const VERSION = "0.1.0";
