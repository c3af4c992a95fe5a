// Replaced by the bundler (scripts/build.ts); absent when the sources are run as they are.
declare const BUILD_VERSION: string | undefined;
declare const BUILD_REVISION: string | undefined;
declare const BUILD_FILES: string | undefined;

/** The released version, or `0.0.0-dev` when the sources are run without a build. */
export const version = typeof BUILD_VERSION === "undefined" ? "0.0.0-dev" : BUILD_VERSION;

/** The commit that the build was made of, or `unknown`. */
export const revision = typeof BUILD_REVISION === "undefined" ? "unknown" : BUILD_REVISION;

/** What the addresses of the files of this release begin with, without a slash at the end; missing without a build. */
export const releaseFiles = typeof BUILD_FILES === "undefined" ? undefined : BUILD_FILES;
