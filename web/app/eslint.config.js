import svelte from 'eslint-plugin-svelte';
import ts from 'typescript-eslint';

import config from './svelte.config.js';

export default ts.config(
  { ignores: ['dist', 'node_modules'] },
  ts.configs.recommended,
  svelte.configs.recommended,
  {
    files: ['**/*.svelte', '**/*.svelte.ts'],
    languageOptions: { parserOptions: { parser: ts.parser, svelteConfig: config } },
  },
  {
    rules: {
      // values of logs are hostile: text nodes only
      'svelte/no-at-html-tags': 'error',
      'no-restricted-properties': [
        'error',
        { property: 'innerHTML', message: 'Values of logs are hostile: text nodes only.' },
        { property: 'outerHTML', message: 'Values of logs are hostile: text nodes only.' },
        { property: 'insertAdjacentHTML', message: 'Values of logs are hostile: text nodes only.' },
      ],
      'no-eval': 'error',
      'no-implied-eval': 'error',
      'max-lines': ['error', 500],
      'max-lines-per-function': ['error', { max: 70, skipBlankLines: true, skipComments: true }],
      // the policy blocks style attributes; style directives are set by script and pass
      'no-restricted-syntax': [
        'error',
        {
          selector: 'SvelteAttribute[key.name="style"]',
          message: 'The policy blocks style attributes: use a class or a style directive.',
        },
      ],
      '@typescript-eslint/no-unused-vars': ['error', { ignoreRestSiblings: true }],
      // {' '} keeps a space at the edge of a block
      'svelte/no-useless-mustaches': 'off',
      'svelte/no-navigation-without-resolve': 'off',
      'svelte/prefer-svelte-reactivity': 'off',
    },
  },
  {
    files: ['**/*.svelte', '**/*.test.ts', 'dev/**'],
    rules: { 'max-lines-per-function': 'off' },
  },
);
