// Written by tools/package.mjs: do not edit.
export * from '@weft/jinja';
