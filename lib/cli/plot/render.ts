import { loadPeers } from '../io/peer.js'

/** A Vega-Lite specification; its own types are too wide for the compiler to check in reasonable time. */
export type PlotSpec = Record<string, unknown>

export const plotFormats = ['svg', 'png'] as const
export type PlotFormat = (typeof plotFormats)[number]

// Without quotation marks, which resvg does not understand.
const font = 'Helvetica, Arial, DejaVu Sans, Liberation Sans, sans-serif'

/** Renders without a browser: Vega to SVG, and resvg to a PNG of twice the size in pixels. */
export async function renderPlot(spec: PlotSpec, format: PlotFormat): Promise<string | Uint8Array> {
  const svg = await toSvg(spec, format)
  return format === 'svg' ? svg : toPng(svg)
}

/** Fails early, before the solver runs, if a package is missing. */
export async function loadPlotPeers(format: PlotFormat): Promise<void> {
  await loadVega(format)
  if (format === 'png') await loadResvg()
}

const packages = { svg: 'vega vega-lite', png: 'vega vega-lite @resvg/resvg-js' }

const loadVega = (format: PlotFormat) =>
  loadPeers(`--plot with .${format}`, packages[format], async () => ({
    vega: await import('vega'),
    lite: await import('vega-lite'),
  }))

const loadResvg = () => loadPeers('--plot with .png', packages.png, () => import('@resvg/resvg-js'))

async function toSvg(spec: PlotSpec, format: PlotFormat): Promise<string> {
  const { vega, lite } = await loadVega(format)
  const compiled = lite.compile({ ...spec, config: { font, aria: false, ...(spec.config as object) } } as never)
  const view = new vega.View(vega.parse(compiled.spec), { renderer: 'none', logLevel: vega.Error })
  try {
    return await view.toSVG()
  } finally {
    view.finalize()
  }
}

// resvg finds fonts through /etc/fonts; a small system may have fonts without that.
const fonts = { font: { fontDirs: ['/usr/share/fonts'] } }

async function toPng(svg: string): Promise<Uint8Array> {
  const { Resvg } = await loadResvg()
  // Without fonts resvg leaves out all text and says nothing: see whether a letter takes any room.
  const hasFonts =
    new Resvg(`<svg xmlns="http://www.w3.org/2000/svg"><text y="9">a</text></svg>`, fonts).getBBox() !== undefined
  if (!hasFonts) {
    process.stderr.write(
      'warning: the PNG has no labels, as there are no fonts (Debian: apt-get install fonts-dejavu-core)\n',
    )
  }
  return new Resvg(svg, { ...fonts, fitTo: { mode: 'zoom', value: 2 }, background: 'white' }).render().asPng()
}
