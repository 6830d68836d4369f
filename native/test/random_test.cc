// Known answers of the generator, and every instruction set against the scalar code. The constants under
// "pinned" are asserted in test/random/pinned.test.ts as well: both languages give the same streams.

#include "random/random.h"

#include <cinttypes>
#include <cmath>
#include <cstdio>
#include <cstring>
#include <vector>

#include "random/normal.h"
#include "random/philox.h"
#include "simd/dispatch.h"

namespace {

using namespace extrema;

int failures = 0;

void check(bool right, const char* what) {
  if (right) return;
  std::printf("FAILED: %s\n", what);
  failures++;
}

using Fill = void (*)(const uint32_t*, const uint32_t*, double*, size_t);

uint64_t bitsOf(double x) {
  uint64_t bits;
  std::memcpy(&bits, &x, sizeof bits);
  return bits;
}

// FNV-1a over the bytes of the numbers, least significant first.
uint64_t hash(const std::vector<double>& values) {
  uint64_t h = 0xCBF29CE484222325;
  for (const double x : values) {
    for (int byte = 0; byte < 8; byte++) h = (h ^ (bitsOf(x) >> (8 * byte) & 0xFF)) * 0x100000001B3;
  }
  return h;
}

// kat_vectors of the Random123 distribution, "philox4x32 10".
void knownAnswers() {
  struct {
    uint32_t counter[4], key[2], block[4];
  } const vectors[] = {
      {{0, 0, 0, 0}, {0, 0}, {0x6627E8D5, 0xE169C58D, 0xBC57AC4C, 0x9B00DBD8}},
      {{0xFFFFFFFF, 0xFFFFFFFF, 0xFFFFFFFF, 0xFFFFFFFF},
       {0xFFFFFFFF, 0xFFFFFFFF},
       {0x408F276D, 0x41C83B0E, 0xA20BC7C6, 0x6D5451FD}},
      {{0x243F6A88, 0x85A308D3, 0x13198A2E, 0x03707344},
       {0xA4093822, 0x299F31D0},
       {0xD16CFE09, 0x94FDCCEB, 0x5001E420, 0x24126EA1}},
  };
  for (const auto& v : vectors) {
    uint32_t block[4];
    philox(v.key, v.counter, block);
    check(std::memcmp(block, v.block, sizeof block) == 0, "philox: known answer");
  }
}

void carries() {
  uint32_t counter[4] = {0xFFFFFFFF, 0xFFFFFFFF, 0xFFFFFFFF, 6};
  advance(counter, 1);
  check(counter[0] == 0 && counter[1] == 0 && counter[2] == 0 && counter[3] == 7,
        "advance: carry through all words");
  uint32_t far[4] = {0x80000000, 0xFFFFFFFE, 5, 0};
  advance(far, 0x0000000280000000);
  check(far[0] == 0 && far[1] == 1 && far[2] == 6 && far[3] == 0, "advance: two words at once");
}

// The counter whose block under `key` is `block`: the rounds undone from the last to the first.
void invert(const uint32_t key[2], const uint32_t block[4], uint32_t counter[4]) {
  constexpr auto inverse = [](uint32_t odd) {
    uint32_t x = odd;
    for (int i = 0; i < 5; i++) x *= 2 - odd * x;
    return x;
  };
  uint32_t y[4] = {block[0], block[1], block[2], block[3]};
  for (uint32_t round = 10; round-- > 0;) {
    const uint32_t x2 = y[1] * inverse(kPhiloxM1);
    const uint32_t x0 = y[3] * inverse(kPhiloxM0);
    const uint32_t x1 =
        static_cast<uint32_t>(uint64_t{kPhiloxM1} * x2 >> 32) ^ y[0] ^ (key[0] + round * kPhiloxW0);
    const uint32_t x3 =
        static_cast<uint32_t>(uint64_t{kPhiloxM0} * x0 >> 32) ^ y[2] ^ (key[1] + round * kPhiloxW1);
    y[0] = x0, y[1] = x1, y[2] = x2, y[3] = x3;
  }
  std::memcpy(counter, y, sizeof y);
}

double scalarElement(bool normal, const uint32_t key[2], const uint32_t counter[4], size_t i) {
  uint32_t at[4] = {counter[0], counter[1], counter[2], counter[3]};
  advance(at, i / 2);
  uint32_t block[4];
  philox(key, at, block);
  const uint64_t word = uint64_t{block[i % 2 * 2 + 1]} << 32 | block[i % 2 * 2];
  return normal ? normalFromWord(word) : static_cast<double>(word >> 11) * 0x1p-53;
}

// Lengths around vectors and chunks, counters around every carry; nothing written outside.
void fillsMatchScalar(Fill fill, bool normal) {
  const uint32_t key[2] = {0x12345678, 0x9ABCDEF0};
  const uint32_t counters[][4] = {{0, 0, 0, 0},
                                  {0xFFFFFFFE, 3, 1, 0},
                                  {0xFFFFFFF9, 0xFFFFFFFF, 0xFFFFFFFF, 0},
                                  {0xFFFFFFFF, 0xFFFFFFFF, 0xFFFFFFFF, 0xFFFFFFFF}};
  const size_t lengths[] = {0,  1,  2,  3,  4,  5,  7,  8,    9,    15,   16,   17,
                            31, 32, 33, 63, 64, 65, 99, 1023, 1024, 1025, 1040, 5000};
  constexpr size_t kMargin = 3;
  constexpr double kUntouched = -99;
  bool same = true, inside = true;
  for (const auto& counter : counters) {
    for (const size_t n : lengths) {
      std::vector<double> out(n + 2 * kMargin, kUntouched);
      fill(key, counter, out.data() + kMargin, n);
      for (size_t i = 0; i < n; i++) {
        same = same && bitsOf(out[kMargin + i]) == bitsOf(scalarElement(normal, key, counter, i));
      }
      for (size_t i = 0; i < kMargin; i++) {
        inside = inside && out[i] == kUntouched && out[n + kMargin + i] == kUntouched;
      }
    }
  }
  check(same, "fill: every element equals the scalar code");
  check(inside, "fill: writes nothing outside");
}

// Parts of a range, as threads would take them.
void fillsInParts(Fill fill) {
  const uint32_t key[2] = {7, 9};
  const uint32_t counter[4] = {0xFFFFFF00, 0xFFFFFFFF, 2, 0};
  std::vector<double> whole(3001), parts(3001);
  fill(key, counter, whole.data(), whole.size());
  const size_t cuts[] = {0, 2, 64, 510, 512, 1024, 2998, 3001};
  for (size_t c = 0; c + 1 < sizeof cuts / sizeof *cuts; c++) {
    uint32_t at[4] = {counter[0], counter[1], counter[2], counter[3]};
    advance(at, cuts[c] / 2);
    fill(key, at, parts.data() + cuts[c], cuts[c + 1] - cuts[c]);
  }
  check(std::memcmp(whole.data(), parts.data(), whole.size() * sizeof(double)) == 0,
        "fill: parts equal the whole");
}

// Words that random draws do not reach: the ends, the middle and the far tails. Their counters come from
// inversion.
void rareWords() {
  std::vector<uint64_t> words = {0, 1, ~uint64_t{0}, uint64_t{1} << 63, (uint64_t{1} << 63) - 1};
  for (int shift = 0; shift < 64; shift++) words.push_back(0xB504F333F9DE6484 >> shift);
  const uint32_t key[2] = {42, 0};
  bool same = true;
  for (const uint64_t word : words) {
    const uint32_t block[4] = {static_cast<uint32_t>(word), static_cast<uint32_t>(word >> 32),
                               static_cast<uint32_t>(~word), static_cast<uint32_t>(~word >> 32)};
    uint32_t counter[4];
    invert(key, block, counter);
    double pair[2];
    fillNormal(key, counter, pair, 2);
    same = same && bitsOf(pair[0]) == bitsOf(normalFromWord(word)) && pair[1] == -pair[0];
    fillUniform(key, counter, pair, 2);
    same = same && pair[0] == static_cast<double>(word >> 11) * 0x1p-53 && pair[0] < 1;
  }
  check(same, "rare words: equal to the scalar code, and normals odd");
}

void pinned() {
  struct {
    uint32_t key[2];
    uint64_t uniform, normal;
  } const seeds[] = {
      {{0, 0}, 0xE72CDC2EECD7F911, 0x932846F4912BD0BC},
      {{42, 0}, 0x8A715A2AA565B390, 0xE60AE3C9E27BF09F},
      {{0xFFFFFFFF, 0xFFFFFFFF}, 0x10F78DFF857EBEE8, 0x7E6CD7F754E0A330},
  };
  const uint32_t counter[4] = {};
  std::vector<double> values(10000);
  for (const auto& seed : seeds) {
    fillUniform(seed.key, counter, values.data(), values.size());
    const uint64_t uniform = hash(values);
    fillNormal(seed.key, counter, values.data(), values.size());
    const uint64_t normal = hash(values);
    if (uniform == seed.uniform && normal == seed.normal) continue;
    std::printf("key %08x %08x: uniform 0x%016" PRIX64 ", normal 0x%016" PRIX64 "\n", seed.key[1],
                seed.key[0], uniform, normal);
    check(false, "pinned: hash of 10,000 uniforms and normals");
  }

  struct {
    uint64_t word, bits;
  } const normals[] = {
      {0, 0xC0224F82AA55EB15},                   // the lowest
      {1, 0xC0221263F48FDA57},                   // far tail
      {0x0000000012345678, 0xC01A872EB500D6C8},  // far tail
      {0x0000001000000000, 0xC0171F2B7C7C938D},  // near tail
      {0x1333333333333000, 0xBFF7085226D3E524},  // near tail, next to the centre
      {0x1333333333334000, 0xBFF7085226D3E51D},  // centre
      {0x7FFFFFFFFFFFFFFF, 0xBBF40D931FF62707},  // next below the middle
      {0x7FFFFFFFFFFFF000, 0xBCC40CF2B35D2755},  // below the middle
      {0xC000000000000000, 0x3FE5956B87528A49},  // upper quartile
      {0xFFFFFFFFFFFFFFFF, 0x40224F82AA55EB15},  // the highest
  };
  for (const auto& n : normals) {
    if (bitsOf(normalFromWord(n.word)) == n.bits) continue;
    std::printf("word 0x%016" PRIX64 ": bits 0x%016" PRIX64 " (%.17g)\n", n.word,
                bitsOf(normalFromWord(n.word)), normalFromWord(n.word));
    check(false, "pinned: normal of a word");
  }
}

}  // namespace

int main() {
  knownAnswers();
  carries();
  for (int t = 0; t < simd::kTargetCount; t++) {
    const auto target = static_cast<simd::Target>(t);
    if (!simd::targetAvailable(target)) continue;
    simd::selectTarget(target);
    std::printf("random: %s\n", simd::targetName(target));
    fillsMatchScalar(fillUniform, false);
    fillsMatchScalar(fillNormal, true);
    fillsInParts(fillUniform);
    fillsInParts(fillNormal);
    rareWords();
    pinned();
  }
  return failures == 0 ? 0 : 1;
}
