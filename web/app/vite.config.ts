import { readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { brotliCompressSync, constants, gzipSync } from 'node:zlib';

import { svelte } from '@sveltejs/vite-plugin-svelte';
import { defineConfig, type Plugin, type ResolvedConfig } from 'vite';

/** Writes `.br` and `.gz` beside every text file of the build, where that saves something. */
function precompress(): Plugin {
  let config: ResolvedConfig;
  const files = (folder: string): string[] =>
    readdirSync(folder).flatMap((name) => {
      const path = join(folder, name);
      return statSync(path).isDirectory() ? files(path) : [path];
    });
  return {
    name: 'precompress',
    apply: 'build',
    configResolved: (resolved) => {
      config = resolved;
    },
    closeBundle: () => {
      for (const path of files(resolve(config.root, config.build.outDir))) {
        if (!/\.(js|css|html|svg|json|webmanifest)$/.test(path)) continue;
        const raw = readFileSync(path);
        const brotli = brotliCompressSync(raw, {
          params: { [constants.BROTLI_PARAM_QUALITY]: 11 },
        });
        if (brotli.length < raw.length) writeFileSync(`${path}.br`, brotli);
        const gzip = gzipSync(raw, { level: 9 });
        if (gzip.length < raw.length) writeFileSync(`${path}.gz`, gzip);
      }
    },
  };
}

const server = process.env.WARDLINE_URL ?? 'http://127.0.0.1:8321';

export default defineConfig({
  plugins: [svelte(), precompress()],
  build: {
    target: 'es2023',
    // the policy allows neither data: scripts nor inline ones
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
    sourcemap: false,
    reportCompressedSize: false,
  },
  server: { proxy: { '/api': server, '/openapi.json': server } },
});
