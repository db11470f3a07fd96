// Imported before each TypeScript file that npm starts: an older Node would end with ERR_UNKNOWN_FILE_EXTENSION.
const NEEDED = 24;

if (Number(process.versions.node.split('.')[0]) < NEEDED) {
  process.stderr.write(
    `Coterie needs Node ${NEEDED} or newer, and this is Node ${process.versions.node}. ` +
      `\`npm ci\` brings its own; after \`npm ci --omit=dev\`, install Node ${NEEDED} and put it first on PATH.\n`,
  );
  process.exit(1);
}
