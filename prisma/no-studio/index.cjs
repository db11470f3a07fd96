// What the CLI of Prisma loads in place of Studio: nothing that can be used, and who tries is told.
module.exports = new Proxy(
  {},
  {
    get() {
      throw new Error('Prisma Studio is not installed: package.json replaces @prisma/studio-core');
    },
  },
);
