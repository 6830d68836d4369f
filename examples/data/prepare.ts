// Rebuilds population.csv and flights.csv from the files of the npm package vega-datasets:
//   npx tsx examples/data/prepare.ts
import { readFileSync, writeFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { parse } from 'csv-parse/sync'

interface Place {
  latitude: number
  longitude: number
}

const datasets = fileURLToPath(new URL('../../node_modules/vega-datasets/data/', import.meta.url))
const here = fileURLToPath(new URL('./', import.meta.url))

/**
 * Albers' equal-area projection of the contiguous United States in km: standard parallels 29.5° and 45.5°, origin
 * 37.5° N 96° W, on the sphere (J. P. Snyder, "Map Projections: A Working Manual", USGS 1987, equations 14-1 to 14-6).
 */
function albers({ latitude, longitude }: Place): [x: number, y: number] {
  const radius = 6371
  const radians = Math.PI / 180
  const [phi1, phi2, phi0, lambda0] = [29.5 * radians, 45.5 * radians, 37.5 * radians, -96 * radians]
  const n = (Math.sin(phi1) + Math.sin(phi2)) / 2
  const c = Math.cos(phi1) ** 2 + 2 * n * Math.sin(phi1)
  const rho = (phi: number) => (radius / n) * Math.sqrt(c - 2 * n * Math.sin(phi))
  const theta = n * (longitude * radians - lambda0)
  const distance = rho(latitude * radians)
  return [distance * Math.sin(theta), rho(phi0) - distance * Math.cos(theta)]
}

const isContiguous = ({ latitude, longitude }: Place) =>
  latitude > 24 && latitude < 50 && longitude > -125 && longitude < -66

function readCsv(name: string): Record<string, string>[] {
  return parse(readFileSync(datasets + name), { columns: true })
}

function write(name: string, weight: string, rows: { label: string; place: Place; weight: number }[]): void {
  const lines = rows.map((row) => {
    const [x, y] = albers(row.place)
    return `${row.label},${x.toFixed(1)},${y.toFixed(1)},${row.weight}`
  })
  writeFileSync(here + name, `place,x_km,y_km,${weight}\n${lines.join('\n')}\n`)
}

const population = new Map(
  readCsv('population_engineers_hurricanes.csv').map((row) => [row.state!, Number(row.population)]),
)
const capitals: { state: string; city: string; lat: number; lon: number }[] = JSON.parse(
  readFileSync(`${datasets}us-state-capitals.json`, 'utf8'),
)
write(
  'population.csv',
  'people',
  capitals
    .map(({ city, state, lat, lon }) => ({
      label: `${city} (${state})`,
      place: { latitude: lat, longitude: lon },
      weight: population.get(state)!,
    }))
    .filter(({ place }) => isContiguous(place)),
)

const departures = new Map<string, number>()
for (const { origin, count } of readCsv('flights-airport.csv')) {
  departures.set(origin!, (departures.get(origin!) ?? 0) + Number(count))
}
write(
  'flights.csv',
  'departures',
  readCsv('airports.csv')
    .filter(({ iata }) => departures.has(iata!))
    .map(({ iata, latitude, longitude }) => ({
      label: iata!,
      place: { latitude: Number(latitude), longitude: Number(longitude) },
      weight: departures.get(iata!)!,
    }))
    .filter(({ place }) => isContiguous(place)),
)
