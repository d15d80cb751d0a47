// Names of the map's regions: the map file says them in simplified Chinese.

import type { Lang } from "../core/i18n";

const NAMES: Record<string, readonly [en: string, hant: string]> = {
  北京: ["Beijing", "北京"],
  天津: ["Tianjin", "天津"],
  河北: ["Hebei", "河北"],
  山西: ["Shanxi", "山西"],
  内蒙古: ["Inner Mongolia", "內蒙古"],
  辽宁: ["Liaoning", "遼寧"],
  吉林: ["Jilin", "吉林"],
  黑龙江: ["Heilongjiang", "黑龍江"],
  上海: ["Shanghai", "上海"],
  江苏: ["Jiangsu", "江蘇"],
  浙江: ["Zhejiang", "浙江"],
  安徽: ["Anhui", "安徽"],
  福建: ["Fujian", "福建"],
  江西: ["Jiangxi", "江西"],
  山东: ["Shandong", "山東"],
  河南: ["Henan", "河南"],
  湖北: ["Hubei", "湖北"],
  湖南: ["Hunan", "湖南"],
  广东: ["Guangdong", "廣東"],
  广西: ["Guangxi", "廣西"],
  海南: ["Hainan", "海南"],
  重庆: ["Chongqing", "重慶"],
  四川: ["Sichuan", "四川"],
  贵州: ["Guizhou", "貴州"],
  云南: ["Yunnan", "雲南"],
  西藏: ["Tibet", "西藏"],
  陕西: ["Shaanxi", "陝西"],
  甘肃: ["Gansu", "甘肅"],
  青海: ["Qinghai", "青海"],
  宁夏: ["Ningxia", "寧夏"],
  新疆: ["Xinjiang", "新疆"],
  台湾: ["Taiwan", "臺灣"],
  香港: ["Hong Kong", "香港"],
  澳门: ["Macao", "澳門"],
};
/** Too small on the map for a label beside their neighbours' symbols. */
const NO_LABEL = new Set(["香港", "澳门", "北京", "天津", "上海"]);

/** Where a label stands free. The map file puts it on the capital, where the provincial site's symbol is. */
const PLACES: Record<string, readonly [longitude: number, latitude: number]> = {
  内蒙古: [117.6, 44.6],
  新疆: [84.6, 40.6],
  西藏: [87.5, 31.6],
  青海: [95.8, 35.2],
  甘肃: [97.2, 40.2],
  宁夏: [106.4, 38.9],
  陕西: [109.2, 33.2],
  四川: [101.4, 30.4],
  重庆: [108.6, 30.6],
  贵州: [108.2, 27.4],
  云南: [100.9, 23.8],
  广东: [115.6, 24.1],
  广西: [107.6, 24.3],
  湖北: [111.2, 31.4],
  湖南: [110.9, 27.9],
  河南: [113.6, 33.2],
  山西: [111.7, 36.4],
  河北: [115.4, 37.4],
  山东: [119.1, 36.1],
  江苏: [120.1, 33.3],
  安徽: [116.4, 33.2],
  浙江: [119.8, 28.5],
  福建: [117.5, 25.5],
  江西: [115.3, 27.1],
  黑龙江: [128.6, 48.2],
  吉林: [127.4, 42.8],
  辽宁: [121.4, 40.9],
  海南: [109.8, 18.75],
  台湾: [120.9, 23.4],
};

interface GeoFile {
  features: { properties: { name: string; cp?: readonly number[] } }[];
}

export function placeLabels<T extends GeoFile>(geo: T): T {
  for (const { properties } of geo.features) {
    const place = PLACES[properties.name];
    if (place) properties.cp = place;
  }
  return geo;
}

const WIDE = new Set(["新疆", "西藏", "青海", "甘肃", "内蒙古", "黑龙江", "四川", "云南", "台湾"]);

export function provinceLabel(name: string, lang: Lang, few: boolean): string {
  const names = NAMES[name];
  if (!names || NO_LABEL.has(name) || (few && !WIDE.has(name))) return "";
  return lang === "en" ? names[0] : lang === "zh-hant" ? names[1] : name;
}
