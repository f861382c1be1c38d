import { CtlError } from "../../kit/errors.ts";

// why a program that is there cannot be executed, and what helps

const WHAT = "start the container's process";

export function interpreterMissing(path: string, interpreter: string): CtlError {
  return new CtlError("FAILED_PRECONDITION", {
    reason: "COMMAND_INTERPRETER_MISSING",
    what: WHAT,
    why: `"${path}" is a script for "${interpreter}", and the container has no such program`,
    fix: "install it in the image, or begin the script with an interpreter that is there (#!/bin/sh)",
  });
}

export function loaderMissing(path: string, loader: string): CtlError {
  return new CtlError("FAILED_PRECONDITION", {
    reason: "COMMAND_LOADER_MISSING",
    what: WHAT,
    why: `"${path}" is linked dynamically and needs the loader "${loader}", which the container does not have`,
    fix: `use an image ${libraryOf(loader)}, or link the program statically`,
  });
}

function libraryOf(loader: string): string {
  if (loader.includes("musl")) return "with musl (Alpine's, for example)";
  return loader.includes("ld-linux") ? "with glibc (Debian's, for example; Alpine's have musl)" : "that has it";
}

export function hasCarriageReturn(path: string): CtlError {
  return new CtlError("FAILED_PRECONDITION", {
    reason: "COMMAND_HAS_CRLF",
    what: WHAT,
    why: `the first line of the script "${path}" ends with a carriage return (CRLF, Windows' line ends), which becomes a part of the interpreter's name`,
    fix: "give it Unix line ends: sed -i 's/\\r$//' SCRIPT; in git a .gitattributes with the line: *.sh text eol=lf",
  });
}

export function wrongArchitecture(path: string, architecture: string): CtlError {
  return new CtlError("FAILED_PRECONDITION", {
    reason: "COMMAND_WRONG_ARCHITECTURE",
    what: WHAT,
    why: `"${path}" is a program for ${architecture}, and this host is ${hostArchitecture()} (exec format error)`,
    fix: `take the image for this host (--platform linux/${hostArchitecture()}), or install qemu-user-static to emulate the other`,
  });
}

export function notAProgram(path: string, isEmpty: boolean): CtlError {
  return new CtlError("FAILED_PRECONDITION", {
    reason: "COMMAND_NOT_A_PROGRAM",
    what: WHAT,
    why: `"${path}" is ${isEmpty ? "empty" : "neither an ELF program nor a script with a #! line"} (exec format error)`,
    fix: "begin a script with its interpreter, #!/bin/sh; put an empty file there again",
  });
}

const NAMES: Readonly<Record<string, string>> = { x64: "amd64", arm64: "arm64" };

/** Go's name of this host's architecture. */
function hostArchitecture(): string {
  return NAMES[process.arch] ?? process.arch;
}
