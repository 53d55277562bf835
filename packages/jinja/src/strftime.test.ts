import { describe, expect, it } from 'vitest';
import { strftime } from './index.js';

describe('strftime', () => {
  it('writes English names and numbers of fixed width', () => {
    const date = new Date(2026, 0, 2, 15, 4, 5);
    expect(strftime(date, '%A %a %B %b %d %-d %e %j %Y %y %m %H %I %p %M %S %% %Q')).toBe(
      'Friday Fri January Jan 02 2  2 002 2026 26 01 15 03 PM 04 05 % %Q',
    );
  });

  it('counts weeks as Python does', () => {
    expect(strftime(new Date(2026, 0, 2), '%U %W %V %G %g %u %w %j')).toBe('00 00 01 2026 26 5 5 002');
    expect(strftime(new Date(2024, 11, 30), '%U %W %V %G %u %w %j')).toBe('52 53 01 2025 1 1 365');
  });

  it('writes compound forms', () => {
    expect(strftime(new Date(2026, 0, 2, 15, 4, 5), '%F|%D|%T|%R|%r|%c|%-m/%-d|%k|%l|%h%n%t')).toBe(
      '2026-01-02|01/02/26|15:04:05|15:04|03:04:05 PM|Fri Jan  2 15:04:05 2026|1/2|15| 3|Jan\n\t',
    );
  });
});
