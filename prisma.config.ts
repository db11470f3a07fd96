// Tells the Prisma CLI where the schema is; migrations are run by src/database/migrate.ts, without a native engine.
import { defineConfig } from 'prisma/config';

// `prisma generate` looks for a schema engine without using it: naming any executable spares the download of one.
process.env.PRISMA_SCHEMA_ENGINE_BINARY ??= process.execPath;

export default defineConfig({ schema: 'prisma/schema.prisma' });
